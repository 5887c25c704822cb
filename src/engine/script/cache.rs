//! Scripts that EVALSHA finds, by the SHA-1 of their text.

use std::collections::BTreeMap;

use sha1::{Digest, Sha1};

use crate::base::limits::EVAL_SCRIPTS_MAX;
use crate::engine::digest::hex;
use crate::structures::size_class::{btree_bytes, size_class};

use super::flags::ScriptFlags;

/// SHA-1 of a script's text.
pub(super) type Sha = [u8; 20];

/// A compiled script.
#[derive(Debug)]
pub(super) struct Script {
    /// Where its code is kept.
    pub slot: usize,
    /// Its text.
    pub text: Box<[u8]>,
    /// What it declares; `None`: nothing at all.
    pub flags: Option<ScriptFlags>,
    /// When it was last used; `None`: it was loaded on purpose and stays.
    used: Option<u64>,
}

/// All compiled scripts.
#[derive(Debug, Default)]
pub(super) struct Cache {
    scripts: BTreeMap<Sha, Script>,
    clock: u64,
    passing_count: usize,
    text_bytes: usize,
    /// Scripts that others pushed out.
    pub evicted: u64,
}

impl Cache {
    /// The name of a text.
    pub(super) fn name(text: &[u8]) -> Sha {
        Sha1::digest(text).into()
    }

    /// The name that 40 hexadecimal digits stand for.
    pub(super) fn parse_name(digits: &[u8]) -> Option<Sha> {
        let digits: &[u8; 40] = digits.try_into().ok()?;
        // All at once, without a branch in between: this is done for every call of a script.
        let mut values = [0; 40];
        let mut are_digits = true;
        for (value, digit) in values.iter_mut().zip(digits) {
            are_digits &= digit.is_ascii_hexdigit();
            // Bit 6 tells a letter from a digit.
            *value = (digit & 0x0f) + 9 * (digit >> 6 & 1);
        }
        let mut name = [0; 20];
        for (byte, at) in name.iter_mut().zip(0..) {
            *byte = values[2 * at] << 4 | values[2 * at + 1];
        }
        are_digits.then_some(name)
    }

    /// The script called `name`. O(log n).
    pub(super) fn get(&self, name: &Sha) -> Option<&Script> {
        self.scripts.get(name)
    }

    /// The script called `name`, which is about to be used: its slot and flags.
    pub(super) fn touch(&mut self, name: &Sha) -> Option<(usize, Option<ScriptFlags>)> {
        let script = self.scripts.get_mut(name)?;
        if let Some(used) = &mut script.used {
            self.clock += 1;
            *used = self.clock;
        }
        Some((script.slot, script.flags))
    }

    /// A script was loaded on purpose: it stays.
    pub(super) fn keep(&mut self, name: &Sha) {
        if let Some(script) = self.scripts.get_mut(name)
            && script.used.take().is_some()
        {
            self.passing_count -= 1;
        }
    }

    /// Adds a script; the slot of the one that has to go for it.
    pub(super) fn insert(
        &mut self,
        name: Sha,
        slot: usize,
        text: &[u8],
        flags: Option<ScriptFlags>,
        stays: bool,
    ) -> Option<usize> {
        let mut pushed_out = None;
        if !stays {
            if self.passing_count >= EVAL_SCRIPTS_MAX {
                pushed_out = self.push_out();
            }
            self.passing_count += 1;
        }
        self.clock += 1;
        self.text_bytes += size_class(text.len());
        let used = (!stays).then_some(self.clock);
        self.scripts.insert(name, Script { slot, text: text.into(), flags, used });
        pushed_out
    }

    /// Removes the passing script that was not used for the longest time. O(n).
    fn push_out(&mut self) -> Option<usize> {
        let passing = self.scripts.iter().filter_map(|(name, script)| Some((script.used?, *name)));
        let (_, name) = passing.min()?;
        let script = self.scripts.remove(&name)?;
        self.passing_count -= 1;
        self.text_bytes -= size_class(script.text.len());
        self.evicted += 1;
        Some(script.slot)
    }

    /// Forgets all scripts.
    pub(super) fn clear(&mut self) {
        *self = Self { evicted: self.evicted, clock: self.clock, ..Self::default() };
    }

    /// How many.
    pub(super) fn len(&self) -> usize {
        self.scripts.len()
    }

    /// Bytes of memory taken, code excepted.
    pub(super) fn memory_bytes(&self) -> usize {
        self.text_bytes + btree_bytes(self.scripts.len(), size_of::<(Sha, Script)>())
    }
}

/// A name as it is shown.
pub(super) fn digits(name: &Sha) -> String {
    hex(name)
}
