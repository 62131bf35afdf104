//! Chance that can be had again: a sequence of numbers for each seed and each number drawn from it (SplitMix64; Steele,
//! Lea and Flood 2014). For making customers up, and for nothing that must not be guessed.

/// A sequence of numbers.
pub struct Chance(u64);

impl Chance {
    /// The sequence of one customer, or of one vendor's answer.
    pub fn of(seed: u64, number: u64) -> Chance {
        let mut chance = Chance(seed ^ number.wrapping_mul(0xA076_1D64_78BD_642F));
        chance.next();
        chance
    }

    /// The same for a name.
    pub fn named(seed: u64, name: &str) -> Chance {
        // FNV-1a: names only have to lead apart.
        let fold = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        Chance::of(seed, name.bytes().fold(0xCBF2_9CE4_8422_2325, fold))
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// A number from `from` up to, and without, `to`.
    pub fn between(&mut self, from: i64, to: i64) -> i64 {
        let span = u64::try_from(to - from).unwrap_or(1).max(1);
        from + i64::try_from(self.next() % span).unwrap_or(0)
    }

    /// Whether something happens that happens so often in a thousand times.
    pub fn permille(&mut self, times: i64) -> bool {
        self.between(0, 1000) < times
    }

    /// One of these, each so likely as its number says. The last one where the numbers leave room.
    pub fn pick<T: Copy>(&mut self, choices: &[(i64, T)]) -> Option<T> {
        let mut drawn = self.between(0, choices.iter().map(|(weight, _)| weight).sum::<i64>().max(1));
        for (weight, choice) in choices {
            if drawn < *weight {
                return Some(*choice);
            }
            drawn -= weight;
        }
        choices.last().map(|(_, choice)| *choice)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_chances_and_each_customer_others() {
        let drawn = |seed, number| {
            let mut chance = Chance::of(seed, number);
            (0..8).map(|_| chance.between(0, 1000)).collect::<Vec<_>>()
        };
        assert_eq!(drawn(1, 7), drawn(1, 7));
        assert_ne!(drawn(1, 7), drawn(1, 8));
        assert_ne!(drawn(1, 7), drawn(2, 7));
    }

    #[test]
    fn what_is_likely_happens_often() {
        let mut chance = Chance::of(1, 1);
        let often = (0..10_000).filter(|_| chance.permille(900)).count();
        assert!((8_800..9_200).contains(&often), "{often}");
        let picked = (0..10_000).filter(|_| chance.pick(&[(1, 'a'), (3, 'b')]) == Some('b')).count();
        assert!((7_200..7_800).contains(&picked), "{picked}");
    }
}
