//! The events of a turn as they lie in a database: their canonical texts, with a line feed between them, pressed with a
//! dictionary of what events repeat. They come back byte for byte; hashes are over the texts, never over what is kept.

use std::sync::LazyLock;

use selvedge_engine::StoreError;
use selvedge_record::Sealed;
use zstd::bulk::{Compressor, Decompressor};
use zstd::dict::{DecoderDictionary, EncoderDictionary};

/// What events repeat. What was written with it can only be read with it: it never changes, the next one gets a number.
const DICTIONARY: &[u8] = include_bytes!("events.dictionary");
/// Begins what was pressed with [`DICTIONARY`]. What begins with `{` are events as they are.
const FIRST: u8 = 1;
const PLAIN: u8 = b'{';
/// Fast enough to cost a step less than its disk does.
const LEVEL: i32 = 1;
/// The most that a turn unpacks to: far more than its events may have.
const MAX_BYTES: usize = 64 << 20;
/// No canonical JSON has one: in texts it is escaped.
const BETWEEN: char = '\n';

static PRESS: LazyLock<EncoderDictionary<'static>> = LazyLock::new(|| EncoderDictionary::copy(DICTIONARY, LEVEL));
static UNPACK: LazyLock<DecoderDictionary<'static>> = LazyLock::new(|| DecoderDictionary::copy(DICTIONARY));

/// Packs events.
pub(crate) struct Packer(Compressor<'static>);

impl Packer {
    pub fn new() -> Result<Packer, StoreError> {
        Compressor::with_prepared_dictionary(&PRESS).map(Packer).map_err(|e| unreadable(&e.to_string()))
    }

    /// The events of one turn.
    pub fn pack(&mut self, events: &[Sealed]) -> Result<Vec<u8>, StoreError> {
        let texts: Vec<&str> = events.iter().map(|event| event.canonical.as_str()).collect();
        let text = texts.join("\n");
        let length = u32::try_from(text.len()).map_err(|_| unreadable("they are too long"))?;
        let pressed = self.0.compress(text.as_bytes()).map_err(|e| unreadable(&e.to_string()))?;
        let mut packed = Vec::with_capacity(5 + pressed.len());
        packed.push(FIRST);
        packed.extend_from_slice(&length.to_le_bytes());
        packed.extend_from_slice(&pressed);
        Ok(packed)
    }
}

/// Unpacks what [`Packer`] packed.
pub(crate) struct Unpacker(Decompressor<'static>);

impl Unpacker {
    pub fn new() -> Result<Unpacker, StoreError> {
        Decompressor::with_prepared_dictionary(&UNPACK).map(Unpacker).map_err(|e| unreadable(&e.to_string()))
    }

    /// The events of one turn, in their order.
    pub fn unpack(&mut self, packed: &[u8]) -> Result<Vec<String>, StoreError> {
        let text = match packed {
            [PLAIN, ..] => packed.to_vec(),
            [FIRST, a, b, c, d, pressed @ ..] => {
                let length = usize::try_from(u32::from_le_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX);
                if length > MAX_BYTES {
                    return Err(unreadable("they are too long"));
                }
                self.0.decompress(pressed, length).map_err(|e| unreadable(&e.to_string()))?
            }
            _ => return Err(unreadable("they are in no form that this version knows")),
        };
        let text = String::from_utf8(text).map_err(|_| unreadable("they are not UTF-8"))?;
        Ok(text.split(BETWEEN).map(str::to_owned).collect())
    }
}

fn unreadable(why: &str) -> StoreError {
    StoreError::Unreadable { what: format!("the events of a turn: {why}") }
}

#[cfg(test)]
mod tests {
    use selvedge_record::{Draft, Hash, Head};
    use serde_json::json;

    use super::*;

    fn events(n: usize) -> Vec<Sealed> {
        let mut head = Head::start("riverside", "int_1");
        let text = "two lines:\n\"quoted\" and \u{2028} another";
        (0..n)
            .map(|n| head.append(Draft::new("step.entered", 7, "host", json!({ "n": n, "text": text }))).unwrap())
            .collect()
    }

    #[test]
    fn events_come_back_byte_for_byte_and_take_less_room() {
        let written = events(3);
        let packed = Packer::new().unwrap().pack(&written).unwrap();
        let read = Unpacker::new().unwrap().unpack(&packed).unwrap();
        assert_eq!(read, written.iter().map(|event| event.canonical.clone()).collect::<Vec<_>>());
        assert!(2 * packed.len() < read.iter().map(String::len).sum());
    }

    #[test]
    fn events_that_were_never_packed_are_read_as_they_are() {
        let [first, second]: [String; 2] = [events(2).remove(0), events(2).remove(1)].map(|event| event.canonical);
        let lines = format!("{first}\n{second}");
        assert_eq!(Unpacker::new().unwrap().unpack(first.as_bytes()).unwrap(), [first.as_str()]);
        assert_eq!(Unpacker::new().unwrap().unpack(lines.as_bytes()).unwrap(), [first, second]);
    }

    #[test]
    fn what_is_damaged_is_refused_in_words() {
        let mut packed = Packer::new().unwrap().pack(&events(2)).unwrap();
        let mut unpacker = Unpacker::new().unwrap();
        for damaged in [&b""[..], b"\x07what", b"\x01\xff\xff\xff\xff", b"\x01\x04\0\0\0what"] {
            let refused = unpacker.unpack(damaged).unwrap_err();
            assert!(refused.to_string().contains("the events of a turn"), "{refused}");
        }
        // It still unpacks all the rest.
        assert_eq!(unpacker.unpack(&packed).unwrap().len(), 2);
        packed.truncate(packed.len() - 1);
        assert!(unpacker.unpack(&packed).is_err());
    }

    /// What was written under a dictionary is lost without it.
    #[test]
    fn the_dictionary_is_the_one_that_databases_were_written_with() {
        assert_eq!(
            Hash::leaf(std::str::from_utf8(DICTIONARY).unwrap()).to_string(),
            "a2d465a909a1fb3c282fc6d900267390c93875f1ef0ec5e4cf12d1a2759a6cd1"
        );
    }
}
