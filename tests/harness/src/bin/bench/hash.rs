//! `everhold hash` beside the tools that everybody has.

use std::{
    fs::File,
    io::{Read, Write},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use everhold_harness::{Context, Everhold, Result};

const GIB: u64 = 1 << 30;
const RUNS: usize = 5;

/// Hashes a file of 1 GiB with each, and one of 4 GiB.
pub(super) async fn bench() -> Result<()> {
    let everhold = Everhold::new()?;
    let file = everhold.dir().join("file");
    write(&file, GIB)?;
    let name = file.display().to_string();

    let others: [&[&str]; 2] = [&["openssl", "dgst", "-sha256"], &["sha256sum"]];
    let mut times: Vec<(&str, Vec<Duration>)> = vec![("everhold hash", Vec::new())];
    times.extend(others.iter().map(|words| (words[0], Vec::new())));
    let mut memory = 0;
    // In turn, so that a slow moment is everybody's.
    for _ in 0..RUNS {
        let hashed = everhold.run(["hash", "file"]).await?;
        memory = memory.max(hashed.peak_memory);
        times[0].1.push(hashed.took);
        for (words, (_, times)) in others.iter().zip(&mut times[1..]) {
            times.extend(timed(words, &name));
        }
    }
    println!(
        "1 GiB, median of {RUNS} whole processes (everhold: sha-256, CIDv0 and CIDv1 at once)"
    );
    let ours = median(&mut times[0].1);
    for (name, times) in &mut times {
        if times.is_empty() {
            println!("  {name:<14} is not on this machine");
            continue;
        }
        let median = median(times);
        let ratio = median.as_secs_f64() / ours.as_secs_f64();
        println!("  {name:<14} {:>6.2} s   everhold is {ratio:.2} × as fast", median.as_secs_f64());
    }
    println!("  peak memory of everhold: {:.1} MB", memory as f64 / 1e6);

    // Holes read as zeros: as many bytes, without the disk.
    let large = File::create(&file).and_then(|file| file.set_len(4 * GIB));
    large.context(name)?;
    let hashed = everhold.run(["hash", "file"]).await?;
    let (took, peak) = (hashed.took.as_secs_f64(), hashed.peak_memory as f64 / 1e6);
    println!("4 GiB: {took:.2} s, peak memory {peak:.1} MB");
    Ok(())
}

/// A file that no tool can hash faster than any other: random bytes, a MiB of them, repeated.
fn write(path: &Path, size: u64) -> Result<()> {
    let mut piece = vec![0; 1 << 20];
    let filled = File::open("/dev/urandom").and_then(|mut random| random.read_exact(&mut piece));
    filled.context("/dev/urandom")?;
    let mut file = File::create(path).context(path.display())?;
    for _ in 0..size / piece.len() as u64 {
        file.write_all(&piece).context(path.display())?;
    }
    Ok(())
}

/// How long a tool takes with a file; `None` where there is no such tool.
fn timed(words: &[&str], file: &str) -> Option<Duration> {
    let begun = Instant::now();
    let ended =
        Command::new(words[0]).args(&words[1..]).arg(file).stdout(Stdio::null()).status().ok()?;
    ended.success().then(|| begun.elapsed())
}

fn median(times: &mut [Duration]) -> Duration {
    times.sort();
    times.get(times.len() / 2).copied().unwrap_or_default()
}
