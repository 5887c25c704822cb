//! Changing values other than strings.
//!
//! The closure's parameter type is the type check, its result is the report. A collection that is
//! empty afterwards goes. A small one is unpacked for the closure, and packed again behind it.

use super::journal::{Change, DEL, Event, NEW};
use super::packed::{self, is_small_again, kind_of_packed, unpack_as, with_content};
use super::spot::{Ledger, Replacing, Spot};
use super::value::{KeyEntry, KeyRef, Stored, Value, WrongType};
use super::write::{Free, Lifetime, Writer};
use crate::structures::access_clock::Access;
use crate::structures::cow_table::{Occupied, Slot, Vacant};
use crate::structures::entry::{Content, Detached, Entry, Form, NewContent};
use crate::structures::epoch::Epochs;
use crate::structures::lifespan::Lifespan;

impl Writer<'_> {
    /// Changes the collection at `key`, which is created when absent. The epochs are for the
    /// copy-on-write structures inside.
    pub fn upsert<T: Stored, R>(
        &mut self,
        key: &[u8],
        edit: impl FnOnce(&mut T, &mut Epochs) -> (R, Change),
    ) -> Result<R, WrongType> {
        let mut spot = self.spot(key);
        if spot.is_ghost {
            spot.settle();
            spot = self.spot(key);
        }
        let Spot { slot, ledger, hash, .. } = spot;
        match slot {
            Slot::Occupied(slot) => change(key, hash, slot, ledger, edit),
            Slot::Vacant(slot) => Ok(create(key, hash, slot, ledger, edit)),
        }
    }

    /// Changes the collection at `key`; `None` when there is none.
    pub fn update<T: Stored, R>(
        &mut self,
        key: &[u8],
        edit: impl FnOnce(&mut T, &mut Epochs) -> (R, Change),
    ) -> Result<Option<R>, WrongType> {
        let spot = self.spot(key);
        if spot.is_ghost {
            spot.settle();
            return Ok(None);
        }
        let Spot { slot, ledger, hash, .. } = spot;
        match slot {
            Slot::Occupied(slot) => change(key, hash, slot, ledger, edit).map(Some),
            Slot::Vacant(_) => Ok(None),
        }
    }

    /// Makes `key` hold a collection, whatever it held; an empty one removes the key. Whether the
    /// key is there afterwards.
    pub fn put<T: Stored>(
        &mut self,
        key: &[u8],
        value: T,
        lifetime: Lifetime,
        event: Event,
    ) -> bool {
        if value.is_vacant() {
            self.remove(key, Free::Later, DEL);
            return false;
        }
        let spot = self.spot(key);
        with_content(value.into_value(), |content| {
            spot.store(content, Form::Whole, lifetime, Replacing::Overwrites).note(key, event, 1);
        });
        true
    }
}

fn check<T: Stored>(entry: KeyRef<'_>) -> Result<(), WrongType> {
    let is_of_type = match entry.content() {
        Content::Nested(value) => T::of(value).is_some(),
        Content::Packed(packed) => kind_of_packed(packed) == Some(T::KIND),
        Content::Int(_) | Content::Inline(_) | Content::Blob(_) => false,
    };
    if is_of_type { Ok(()) } else { Err(WrongType) }
}

fn run<T: Stored, R>(
    hash: u64,
    slot: &mut Occupied<'_, KeyEntry>,
    ledger: &mut Ledger<'_>,
    edit: impl FnOnce(&mut T, &mut Epochs) -> (R, Change),
) -> Result<(R, Change), WrongType> {
    slot.edit(|entry, epochs| {
        if let Content::Packed(packed) = entry.view().content() {
            let mut value = unpack_as::<T>(packed)?;
            let outcome = edit(&mut value, epochs);
            let mut value = value.into_value();
            ledger.enroll(hash, &mut value);
            put_back(entry, value);
            return Ok(outcome);
        }
        let value = entry.nested_mut().ok_or(WrongType)?;
        let collection = T::of_mut(value).ok_or(WrongType)?;
        let outcome = edit(collection, epochs);
        if let Some(members) = collection.expiring_mut() {
            ledger.reschedule(hash, members);
        } else if is_small_again(value)
            && let Some(Detached::Nested(value)) = entry.detach()
        {
            put_back(entry, *value);
        }
        Ok(outcome)
    })
}

/// Puts a value into an entry that holds nothing by pointer.
#[inline]
fn put_back(entry: &mut KeyEntry, value: Value) {
    with_content(value, |content| {
        if let NewContent::Packed(packed) = &content
            && entry.repack(*packed)
        {
            return;
        }
        let lifespan = entry.view().lifespan();
        let held = entry.set(content, Form::Whole, lifespan);
        debug_assert!(held.is_none(), "it held nothing by pointer");
    });
}

fn is_vacant(entry: KeyRef<'_>) -> bool {
    match entry.content() {
        Content::Nested(value) => value.is_vacant(),
        Content::Packed(packed) => packed::is_vacant(packed),
        Content::Int(_) | Content::Inline(_) | Content::Blob(_) => false,
    }
}

fn change<T: Stored, R>(
    key: &[u8],
    hash: u64,
    mut slot: Occupied<'_, KeyEntry>,
    mut ledger: Ledger<'_>,
    edit: impl FnOnce(&mut T, &mut Epochs) -> (R, Change),
) -> Result<R, WrongType> {
    // Before `edit`, which would copy what a snapshot reads.
    check::<T>(slot.get())?;
    ledger.clock.touch(slot.get(), hash, ledger.now, Access::Write);
    let (result, change) = run(hash, &mut slot, &mut ledger, edit)?;
    ledger.note_change(key, change);
    if is_vacant(slot.get()) {
        ledger.forget(slot.get());
        ledger.graveyard.bury_entry(slot.remove(), Free::Later);
        ledger.note(key, DEL, 0);
    }
    Ok(result)
}

fn create<T: Stored, R>(
    key: &[u8],
    hash: u64,
    mut slot: Vacant<'_, KeyEntry>,
    mut ledger: Ledger<'_>,
    edit: impl FnOnce(&mut T, &mut Epochs) -> (R, Change),
) -> R {
    let mut value = T::fresh();
    let (result, change) = edit(&mut value, slot.epochs());
    let is_vacant = value.is_vacant();
    if !is_vacant {
        let mut value = value.into_value();
        ledger.enroll(hash, &mut value);
        let clock = ledger.clock.fresh(ledger.db, hash, ledger.now);
        let entry = with_content(value, |content| {
            Entry::new(key, content, Form::Whole, Lifespan::default(), clock)
        });
        slot.insert(entry);
    }
    if !is_vacant || change != Change::None {
        ledger.note(key, NEW, 0);
        ledger.note_change(key, change);
    }
    if is_vacant && change != Change::None {
        // It was there for a moment, and listeners hear of it.
        ledger.note(key, DEL, 0);
    }
    result
}
