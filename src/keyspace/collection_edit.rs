//! Changing values other than strings.
//!
//! The closure's parameter type is the type check, its result is the report. A collection that is
//! empty afterwards goes.

use super::journal::{Change, DEL, Event, NEW};
use super::spot::{Ledger, Replacing, Spot};
use super::value::{KeyEntry, KeyRef, Stored, WrongType};
use super::write::{Free, Lifetime, Writer};
use crate::structures::access_clock::Access;
use crate::structures::cow_table::{Occupied, Slot};
use crate::structures::entry::{Content, Entry, Form, NewContent};
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
            Slot::Vacant(slot) => {
                let content = NewContent::Nested(Box::new(T::default().into_value()));
                let clock = ledger.clock.fresh(ledger.db, hash, ledger.now);
                let entry = Entry::new(key, content, Form::Whole, Lifespan::default(), clock);
                create(key, hash, slot.insert(entry), ledger, edit)
            }
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
        let content = NewContent::Nested(Box::new(value.into_value()));
        let spot = self.spot(key);
        spot.store(content, Form::Whole, lifetime, Replacing::Overwrites).note(key, event, 1);
        true
    }
}

fn collection<T: Stored>(entry: KeyRef<'_>) -> Result<&T, WrongType> {
    match entry.content() {
        Content::Nested(value) => T::of(value).ok_or(WrongType),
        _ => Err(WrongType),
    }
}

fn run<T: Stored, R>(
    hash: u64,
    slot: &mut Occupied<'_, KeyEntry>,
    ledger: &mut Ledger<'_>,
    edit: impl FnOnce(&mut T, &mut Epochs) -> (R, Change),
) -> Result<(R, Change), WrongType> {
    slot.edit(|entry, epochs| {
        let value = entry.nested_mut().and_then(T::of_mut).ok_or(WrongType)?;
        let outcome = edit(value, epochs);
        if let Some(members) = value.expiring_mut() {
            ledger.reschedule(hash, members);
        }
        Ok(outcome)
    })
}

fn is_vacant(entry: KeyRef<'_>) -> bool {
    matches!(entry.content(), Content::Nested(value) if value.is_vacant())
}

fn change<T: Stored, R>(
    key: &[u8],
    hash: u64,
    mut slot: Occupied<'_, KeyEntry>,
    mut ledger: Ledger<'_>,
    edit: impl FnOnce(&mut T, &mut Epochs) -> (R, Change),
) -> Result<R, WrongType> {
    // Before `edit`, which would copy what a snapshot reads.
    collection::<T>(slot.get())?;
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
    mut slot: Occupied<'_, KeyEntry>,
    mut ledger: Ledger<'_>,
    edit: impl FnOnce(&mut T, &mut Epochs) -> (R, Change),
) -> Result<R, WrongType> {
    let (result, change) = run(hash, &mut slot, &mut ledger, edit)?;
    let is_vacant = is_vacant(slot.get());
    if is_vacant {
        ledger.forget_members(slot.get());
        slot.remove();
    }
    if !is_vacant || change != Change::None {
        ledger.note(key, NEW, 0);
        ledger.note_change(key, change);
    }
    if is_vacant && change != Change::None {
        // It was there for a moment, and listeners hear of it.
        ledger.note(key, DEL, 0);
    }
    Ok(result)
}
