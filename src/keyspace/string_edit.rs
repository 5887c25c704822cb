//! Looking at a string and changing it in one lookup.
//!
//! What the closure wants is staged and carried out when it has succeeded, so that an error leaves
//! nothing behind, and value and deadline move in one step. Only a large string is changed where
//! it is: it is taken out of its entry meanwhile, if no snapshot reads it.

use super::journal::{Change, Event};
use super::spot::{Ledger, Replacing, Spot};
use super::value::{KeyRef, NewString, StringRef, WrongType, content_of, kind_of, string_of};
use super::write::{Free, Lifetime, Writer};
use crate::base::blob::Blob;
use crate::base::time::UnixMillis;
use crate::keyspace::value::Kind;
use crate::structures::cow_table::Slot;
use crate::structures::entry::{Detached, Form, INLINE_MAX, NewContent};
use std::mem;

/// The buffer for strings under change is not kept beyond this many bytes.
const SCRATCH_MAX: usize = 4 * INLINE_MAX;

/// Events of commands that replace the string as a whole, though they look at the old one first.
const REPLACING: &str = "set";

/// What is to become of the string.
#[derive(Debug)]
enum Staged {
    Untouched,
    Int(i64),
    /// The bytes are in `scratch`.
    Bytes(Form),
    Blob(Blob, Form),
    Removed,
}

/// The string of one key inside [`Writer::edit_string`].
#[derive(Debug)]
pub struct StringEdit<'a> {
    spot: Spot<'a, 'a>,
    staged: Staged,
    scratch: Vec<u8>,
    lifetime: Lifetime,
    /// How the blob was kept that was taken out of the entry.
    taken: Option<Form>,
}

impl Writer<'_> {
    /// Looks at the string of `key` and changes it, in one lookup. An absent key appears when the
    /// closure puts something. The change is what the closure says it did; after an error the
    /// string is as before.
    pub fn edit_string<R, E: From<WrongType>>(
        &mut self,
        key: &[u8],
        edit: impl FnOnce(&mut StringEdit<'_>) -> Result<(R, Change), E>,
    ) -> Result<R, E> {
        let scratch = mem::take(&mut self.keyspace.scratch);
        let spot = self.spot(key);
        if spot.entry().is_some_and(|entry| kind_of(entry) != Kind::String) {
            return Err(WrongType.into());
        }
        let mut string = StringEdit {
            spot,
            staged: Staged::Untouched,
            scratch,
            lifetime: Lifetime::Keep,
            taken: None,
        };
        let outcome = edit(&mut string);
        let (outcome, scratch) = match outcome {
            Ok((result, change)) => (Ok(result), string.carry_out(change)),
            Err(error) => (Err(error), string.give_up()),
        };
        if scratch.capacity() <= SCRATCH_MAX {
            self.keyspace.scratch = scratch;
        }
        outcome
    }
}

impl Writer<'_> {
    /// Looks at the string of `key` and makes it an integer, in one lookup; the deadline stays.
    /// Notes `event` and one dirty unit.
    pub fn edit_int<E: From<WrongType>>(
        &mut self,
        key: &[u8],
        event: Event,
        edit: impl FnOnce(Option<StringRef<'_>>) -> Result<i64, E>,
    ) -> Result<i64, E> {
        let mut spot = self.spot_inline(key);
        let new = spot.entry().map(string_of).transpose().map_err(E::from).and_then(edit);
        match new {
            Ok(value) => {
                let (content, form) = (NewContent::Int(value), Form::Whole);
                let (lifetime, replacing) = (Lifetime::Keep, Replacing::Continues);
                if spot.overwrite(&content, form, lifetime, replacing) {
                    spot.ledger.note(key, event, 1);
                } else {
                    spot.store(content, form, lifetime, replacing).note(key, event, 1);
                }
            }
            Err(_) => {
                spot.settle();
            }
        }
        new
    }
}

impl StringEdit<'_> {
    /// The string; `None` when the key is absent.
    pub fn value(&self) -> Option<StringRef<'_>> {
        match &self.staged {
            Staged::Untouched => string_of(self.spot.entry()?).ok(),
            Staged::Int(value) => Some(StringRef::Int(*value)),
            Staged::Bytes(_) => Some(StringRef::Inline(&self.scratch)),
            Staged::Blob(blob, _) => Some(StringRef::Shared(blob)),
            Staged::Removed => None,
        }
    }

    /// Its deadline, if any.
    pub fn deadline(&self) -> Option<UnixMillis> {
        let old = self.spot.entry().and_then(KeyRef::deadline);
        self.lifetime.deadline(old).map(UnixMillis)
    }

    /// Counts this lookup as a hit or a miss, as that of a reader: for commands that also reply
    /// with the old value.
    pub fn count_lookup(&self) {
        let Spot { ledger, key, .. } = &self.spot;
        let is_there = self.spot.entry().is_some();
        ledger.stats.count_lookup(is_there);
        if !is_there {
            ledger.journal.miss(ledger.db, key);
        }
    }

    /// Replaces the string.
    pub fn put(&mut self, value: NewString<'_>) {
        self.staged = match content_of(value) {
            NewContent::Int(value) => Staged::Int(value),
            NewContent::Blob(blob) => Staged::Blob(blob, Form::Whole),
            NewContent::Inline(bytes) => {
                self.scratch.clear();
                self.scratch.extend_from_slice(bytes);
                Staged::Bytes(Form::Whole)
            }
            // A string never becomes one.
            NewContent::Packed(_) | NewContent::Nested(_) => Staged::Untouched,
        };
    }

    /// The bytes for changing in place; an absent key starts empty. The string is then `raw`.
    pub fn bytes_mut(&mut self) -> &mut Vec<u8> {
        match mem::replace(&mut self.staged, Staged::Bytes(Form::Edited)) {
            Staged::Untouched => self.stage_current(),
            Staged::Int(value) => spell(value, &mut self.scratch),
            Staged::Bytes(_) => {}
            Staged::Blob(blob, _) => self.staged = Staged::Blob(blob, Form::Edited),
            Staged::Removed => self.scratch.clear(),
        }
        match &mut self.staged {
            Staged::Blob(blob, _) => blob.to_mut(),
            _ => &mut self.scratch,
        }
    }

    /// Sets or clears the deadline.
    pub fn set_lifetime(&mut self, lifetime: Lifetime) {
        self.lifetime = lifetime;
    }

    /// Removes the key.
    pub fn remove(&mut self) {
        self.staged = Staged::Removed;
    }

    /// Brings the string of the entry where it can be changed.
    fn stage_current(&mut self) {
        self.scratch.clear();
        match self.spot.entry().and_then(|entry| string_of(entry).ok()) {
            None => {}
            Some(StringRef::Int(value)) => spell(value, &mut self.scratch),
            Some(StringRef::Inline(bytes)) => self.scratch.extend_from_slice(bytes),
            Some(StringRef::Shared(blob)) => {
                let shared = blob.clone();
                // Taken out, the blob has one holder and is changed without a copy.
                let blob = self.take_out(shared);
                self.staged = Staged::Blob(blob, Form::Edited);
            }
        }
    }

    /// The blob of the entry: itself, or `shared` when a snapshot reads the entry.
    fn take_out(&mut self, shared: Blob) -> Blob {
        let Slot::Occupied(slot) = &mut self.spot.slot else { return shared };
        if !slot.is_exclusive() {
            return shared;
        }
        self.taken = Some(slot.get().form());
        match slot.edit(|entry, _| entry.detach()) {
            Some(Detached::Blob(blob)) => blob,
            _ => shared,
        }
    }

    /// After an error: as if nothing had been asked for.
    fn give_up(self) -> Vec<u8> {
        let Self { mut spot, staged, scratch, taken, .. } = self;
        if let (Some(form), Staged::Blob(blob, _), Slot::Occupied(slot)) =
            (taken, staged, &mut spot.slot)
        {
            let span = slot.get().lifespan();
            slot.edit(|entry, _| entry.set(NewContent::Blob(blob), form, span));
        }
        spot.settle();
        scratch
    }

    fn carry_out(self, change: Change) -> Vec<u8> {
        let Self { spot, staged, mut scratch, lifetime, .. } = self;
        let key = spot.key;
        let replacing = match change {
            Change::Did(event, _) | Change::Both(event, ..) if event.name == REPLACING => {
                Replacing::Overwrites
            }
            _ => Replacing::Continues,
        };
        let mut ledger = match staged {
            Staged::Untouched => keep(spot, lifetime),
            Staged::Removed => spot.remove(Free::Later),
            Staged::Int(value) => {
                spot.store(NewContent::Int(value), Form::Whole, lifetime, replacing)
            }
            Staged::Blob(blob, form) => {
                spot.store(NewContent::Blob(blob), form, lifetime, replacing)
            }
            Staged::Bytes(form) if scratch.len() > INLINE_MAX => {
                let blob = Blob::new(mem::take(&mut scratch));
                spot.store(NewContent::Blob(blob), form, lifetime, replacing)
            }
            Staged::Bytes(form) => {
                spot.store(NewContent::Inline(&scratch), form, lifetime, replacing)
            }
        };
        ledger.note_change(key, change);
        scratch
    }
}

/// Leaves the value as it is.
fn keep<'a>(mut spot: Spot<'a, '_>, lifetime: Lifetime) -> Ledger<'a> {
    let Some(entry) = spot.entry() else { return spot.settle() };
    let old = entry.deadline();
    spot.touch();
    let deadline = lifetime.deadline(old);
    if deadline != old {
        spot.set_deadline(deadline);
    }
    spot.ledger
}

fn spell(value: i64, out: &mut Vec<u8>) {
    out.clear();
    out.extend_from_slice(itoa::Buffer::new().format(value).as_bytes());
}

impl Ledger<'_> {
    /// Notes what an edit says it did.
    pub(super) fn note_change(&mut self, key: &[u8], change: Change) {
        let mut note = |event: Event, units| self.note(key, event, units);
        match change {
            Change::None => {}
            Change::Did(event, units) => note(event, units),
            Change::Quietly(units) => self.journal.add_dirty(units),
            Change::Both(first, second, units) => {
                note(first, units);
                note(second, 0);
            }
        }
    }
}
