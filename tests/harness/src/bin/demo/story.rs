//! How the story looks in a terminal.

use std::{
    cell::Cell,
    env,
    io::{IsTerminal, Write, stdout},
    time::{Duration, Instant},
};

use crate::{Promise, checklist::Checklist};

const WIDTH: usize = 100;
const INDENT: usize = 3;
const LABEL: usize = 18;

const BOLD: &str = "1";
const DIM: &str = "2";
const RED: &str = "31;1";
const GREEN: &str = "32";

/// Prints paragraphs, facts and verdicts.
#[derive(Debug)]
pub(crate) struct Story {
    begun: Instant,
    colour: bool,
    steps: Cell<u32>,
}

impl Story {
    pub(crate) fn new() -> Self {
        Self {
            begun: Instant::now(),
            colour: stdout().is_terminal() && env::var_os("NO_COLOR").is_none(),
            steps: Cell::new(0),
        }
    }

    pub(crate) fn opening(&self) {
        self.raw(&self.paint(BOLD, "Everhold: the main job, end to end"));
        self.raw("");
        self.say(
            "An Everhold collection's contract stores only a hash of each token's content: a \
             metadata file, which names a picture by its hash. The files themselves lie on \
             storage nodes. Everhold reads from the chain which hashes there are, fetches the \
             files from every node, hashes them again, and acts where they are missing or wrong.",
        );
        self.raw("");
        self.say(
            "Chain, nodes and Everhold are real processes on this machine. What stands below \
             under \"Everhold\" was read with its own commands, what stands under \"Alert\" \
             arrived at a receiver that is not part of it.",
        );
    }

    /// A new step and its title.
    pub(crate) fn step(&self, title: &str) {
        self.steps.set(self.steps.get() + 1);
        let heading = format!("{}. {title}", self.steps.get());
        self.raw(&format!("\n{}", self.paint(BOLD, &heading)));
    }

    /// A paragraph.
    pub(crate) fn say(&self, text: &str) {
        for line in wrap(text, WIDTH - INDENT) {
            self.raw(&format!("{:INDENT$}{line}", ""));
        }
    }

    /// Something that was done or seen, and by whom or where.
    pub(crate) fn fact(&self, label: &str, text: &str) {
        let mut label = label;
        for line in wrap(text, WIDTH - INDENT - LABEL) {
            let shown = self.paint(DIM, &format!("{label:<LABEL$}"));
            self.raw(&format!("{:INDENT$}{shown}{line}", ""));
            label = "";
        }
    }

    /// Something promised was seen.
    pub(crate) fn good(&self, text: &str) {
        self.marked(&self.paint(GREEN, "✓"), text);
    }

    /// Something is not as it should be.
    pub(crate) fn bad(&self, text: &str) {
        self.marked(&self.paint(RED, "✗"), text);
    }

    fn marked(&self, mark: &str, text: &str) {
        let mut mark = mark;
        for line in wrap(text, WIDTH - INDENT - 2) {
            self.raw(&format!("{:INDENT$}{mark} {line}", ""));
            mark = " ";
        }
    }

    /// A line as it is.
    pub(crate) fn raw(&self, line: &str) {
        // A reader that went away is no error.
        let _ = writeln!(stdout(), "{line}");
    }

    /// The table at the end: each promise, seen or not, and by what.
    pub(crate) fn summary(&self, checklist: &Checklist) {
        self.raw(&format!("\n{}\n", self.paint(BOLD, "What was promised, and what was seen")));
        let widest = Promise::ALL.iter().map(|p| p.text().chars().count()).max();
        let column = widest.unwrap_or_default() + 2;
        for promise in Promise::ALL {
            let (mark, evidence) = match checklist.verdict(promise) {
                Ok(evidence) => (self.paint(GREEN, "✓ seen    "), evidence.to_owned()),
                Err(why) => (self.paint(RED, "✗ NOT SEEN"), why),
            };
            let head = format!("{:INDENT$}{mark}  {:<column$}", "", promise.text());
            let indent = INDENT + 12 + column;
            for (i, line) in wrap(&evidence, WIDTH.max(indent + 40) - indent).iter().enumerate() {
                match i {
                    0 => self.raw(&format!("{head}{line}")),
                    _ => self.raw(&format!("{:indent$}{line}", "")),
                }
            }
        }
        self.raw("");
        let (seen, all) = (checklist.seen(), Promise::ALL.len());
        let text = format!("{seen} of {all} seen, in {}.", seconds(self.begun.elapsed()));
        if seen == all {
            self.good(&text);
        } else {
            self.bad(&text);
        }
    }

    fn paint(&self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// `0.4 s`
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f32())
}

/// `1.4 MB`
pub(crate) fn megabytes(bytes: u64) -> String {
    format!("{}.{} MB", bytes / 1_000_000, bytes / 100_000 % 10)
}

/// `3 files`, `1 file`
pub(crate) fn count(number: usize, what: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {what}{plural}")
}

fn wrap(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    for part in text.lines() {
        let mut line = String::new();
        for word in part.split_whitespace() {
            if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > width {
                lines.push(std::mem::take(&mut line));
            }
            if !line.is_empty() {
                line.push(' ');
            }
            line.push_str(word);
        }
        lines.push(line);
    }
    lines
}
