//! The hand that makes a [`Survey`]: token after token, with a vector for a stack.

use std::{borrow::Cow, collections::HashMap, ops::Range};

use super::{
    MetadataError, MetadataLimits, MetadataWarning,
    place::{Kind, Place, Spot},
    scan::Token,
    survey::{Slot, Survey},
    text::{changes_as_double, decode, oddities},
    warning::{Warnings, beginning},
};

/// An array or object that is open.
struct Frame<'a> {
    array: bool,
    place: Place,
    /// The element that is next or under way.
    index: usize,
    /// The key that is under way, once it has been read.
    key: Option<Cow<'a, str>>,
    /// Where the slots of each key's last value stand.
    keys: HashMap<Cow<'a, str>, Range<usize>>,
    /// How many slots there were when this, and when the value under way, began.
    first_slot: usize,
    value_slot: usize,
    media_type: Option<String>,
}

/// The state of a pass: what is open, and what was found so far.
pub(super) struct Surveyor<'a> {
    text: &'a str,
    /// Bytes before the text that were left out.
    skipped: usize,
    limits: &'a MetadataLimits,
    stack: Vec<Frame<'a>>,
    values: usize,
    begun: bool,
    warnings: Warnings,
    found: Survey,
}

impl<'a> Surveyor<'a> {
    pub(super) fn new(text: &'a str, skipped: usize, limits: &'a MetadataLimits) -> Self {
        let mut warnings = Warnings::default();
        if skipped > 0 {
            warnings.push(|| MetadataWarning::ByteOrderMark);
        }
        Surveyor {
            text,
            skipped,
            limits,
            stack: Vec::new(),
            values: 0,
            begun: false,
            warnings,
            found: Survey::default(),
        }
    }

    pub(super) fn finish(self) -> Survey {
        Survey { warnings: self.warnings.finish(), ..self.found }
    }

    pub(super) fn token(&mut self, token: Token) -> Result<(), MetadataError> {
        match token {
            Token::Open { array, at } => self.open(array, at),
            Token::Close => {
                self.close();
                Ok(())
            }
            Token::Comma => {
                self.end_value();
                if let Some(frame) = self.stack.last_mut() {
                    frame.index += 1;
                }
                Ok(())
            }
            Token::Colon => Ok(()),
            Token::Text(span) => {
                let (size, limit) = (span.len().saturating_sub(2), self.limits.string);
                if size > limit {
                    return Err(MetadataError::LongString { size, limit });
                }
                self.count(span.start)?;
                self.look_at_string(&span);
                match self.stack.last() {
                    Some(frame) if !frame.array && frame.key.is_none() => self.begin_value(span),
                    _ => self.value(span)?,
                }
                Ok(())
            }
            Token::Scalar(span) => {
                self.count(span.start)?;
                let (text, offset) = (self.text, span.start + self.skipped);
                let raw = &text[span.clone()];
                if raw.starts_with(|c: char| c == '-' || c.is_ascii_digit())
                    && changes_as_double(raw)
                {
                    let number = || beginning(raw);
                    self.warnings
                        .push(|| MetadataWarning::NumberChanges { number: number(), offset });
                }
                self.value(span)
            }
        }
    }

    fn count(&mut self, at: usize) -> Result<(), MetadataError> {
        if self.stack.is_empty() && self.begun && self.found.trailing.is_none() {
            self.found.trailing = Some(at);
        }
        self.begun = true;
        self.values += 1;
        match self.values > self.limits.values {
            true => Err(MetadataError::TooManyValues { limit: self.limits.values }),
            false => Ok(()),
        }
    }

    fn look_at_string(&mut self, span: &Range<usize>) {
        let text = self.text;
        let (odd, offset) = (oddities(&text[span.clone()]), span.start + self.skipped);
        if let Some(code) = odd.control {
            self.warnings.push(|| MetadataWarning::ControlCharacter { code, offset });
        }
        if odd.lone_surrogate {
            self.warnings.push(|| MetadataWarning::LoneSurrogate { offset });
        }
    }

    /// Takes a key: its value is next.
    fn begin_value(&mut self, span: Range<usize>) {
        let (text, offset) = (self.text, span.start + self.skipped);
        let Some(frame) = self.stack.last_mut() else { return };
        let key = decode(&text[span]);
        frame.value_slot = self.found.slots.len();
        if let Some(before) = frame.keys.insert(key.clone(), 0..0) {
            for slot in self.found.slots.get_mut(before).into_iter().flatten() {
                slot.counts = false;
            }
            self.warnings.push(|| MetadataWarning::DuplicateKey { key: beginning(&key), offset });
        }
        frame.key = Some(key);
    }

    /// Writes down which slots the value of a key has.
    fn end_value(&mut self) {
        let slots = self.found.slots.len();
        let Some(frame) = self.stack.last_mut() else { return };
        if let Some(key) = frame.key.take()
            && slots > frame.value_slot
        {
            frame.keys.insert(key, frame.value_slot..slots);
        }
    }

    /// The place of the value that is next.
    fn place(&self) -> Place {
        match self.stack.last() {
            None => Place::Document,
            Some(frame) if frame.array => frame.place.at_index(frame.index),
            Some(frame) => frame.key.as_ref().map_or(Place::Other, |key| frame.place.at_key(key)),
        }
    }

    /// Takes a string or another scalar.
    fn value(&mut self, span: Range<usize>) -> Result<(), MetadataError> {
        let text = self.text;
        if let Some(frame) = self.stack.last_mut()
            && let Some(key) = &frame.key
            && frame.place.says_media_type(key)
        {
            frame.media_type = media_type(&decode(&text[span.clone()]));
        }
        match self.place() {
            Place::Name => self.found.name = Some(span),
            Place::Description => self.found.description = Some(span),
            place => {
                if let Some(spot) = place.link() {
                    return self.slot(spot, span);
                }
            }
        }
        Ok(())
    }

    fn slot(&mut self, spot: Spot, span: Range<usize>) -> Result<(), MetadataError> {
        let (raw, offset) = (&self.text[span.clone()], span.start + self.skipped);
        if spot.kind == Kind::Maybe && !raw.starts_with('"') {
            if raw != "null" {
                self.warnings.push(|| MetadataWarning::NoLink { role: spot.role, offset });
            }
            return Ok(());
        }
        if self.found.slots.len() == self.limits.references {
            return Err(MetadataError::TooManyReferences { limit: self.limits.references });
        }
        self.found.slots.push(Slot { spot, span, media_type: None, counts: true });
        Ok(())
    }

    fn open(&mut self, array: bool, at: usize) -> Result<(), MetadataError> {
        self.count(at)?;
        if self.stack.len() == self.limits.depth {
            return Err(MetadataError::TooDeep { limit: self.limits.depth });
        }
        let place = self.place();
        match &place {
            Place::Name => self.found.name = Some(at..at),
            Place::Description => self.found.description = Some(at..at),
            Place::Link(spot) if !(array && place.takes_arrays()) => {
                self.slot(spot.clone(), at..at + 1)?;
            }
            _ => {}
        }
        // An object where an array is to be has no elements, and the other way round.
        let place = match (&place, array) {
            (Place::Files | Place::Link(_), false)
            | (Place::Document | Place::Properties, true) => Place::Other,
            (Place::File { string: true, .. }, true) => Place::Other,
            _ => place,
        };
        let slots = self.found.slots.len();
        self.stack.push(Frame {
            array,
            place,
            index: 0,
            key: None,
            keys: HashMap::new(),
            first_slot: slots,
            value_slot: slots,
            media_type: None,
        });
        Ok(())
    }

    fn close(&mut self) {
        self.end_value();
        let Some(frame) = self.stack.pop() else { return };
        if frame.media_type.is_some() {
            for slot in self.found.slots.iter_mut().skip(frame.first_slot) {
                slot.media_type.clone_from(&frame.media_type);
            }
        }
    }
}

/// What can be a media type: it is shown and compared, never trusted.
fn media_type(text: &str) -> Option<String> {
    let fits =
        text.len() <= 127 && text.contains('/') && text.bytes().all(|b| b.is_ascii_graphic());
    fits.then(|| text.to_ascii_lowercase())
}
