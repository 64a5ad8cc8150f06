//! Repeatable random numbers.

use super::variable;

/// The generator `SplitMix64`.
pub struct Numbers(u64);

impl Numbers {
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The seed that the variable names or, if it is not set, one of the system.
    pub fn seed(name: &str) -> u64 {
        variable(name).map_or_else(
            || getrandom::u64().expect("random bytes"),
            |seed| seed.parse().unwrap_or_else(|_| panic!("{name} is a number")),
        )
    }

    pub fn any(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below the end; 0 if the end is 0.
    pub fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.any() % u64::try_from(end.max(1)).expect("64 bits")).expect("below the end")
    }

    pub fn byte(&mut self) -> u8 {
        self.any().to_le_bytes()[0]
    }

    pub fn pick<'l, T>(&mut self, list: &'l [T]) -> &'l T {
        &list[self.below(list.len())]
    }
}
