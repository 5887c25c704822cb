//! Libraries and their functions, under their names.

use std::collections::BTreeMap;
use std::rc::Rc;

use super::flags::ScriptFlags;
use crate::structures::size_class::{btree_bytes, size_class};

/// A function of a library.
#[derive(Clone, Debug)]
pub(super) struct Function {
    /// As it was registered; it is found in any case.
    pub name: Rc<str>,
    /// Where its code is kept.
    pub slot: usize,
    /// What it declares.
    pub flags: ScriptFlags,
    /// What it is for.
    pub description: Option<Box<[u8]>>,
}

/// A library.
#[derive(Debug)]
pub(super) struct Library {
    /// Its text, head included.
    pub code: Box<[u8]>,
    /// Its functions, in the order of their registration.
    pub functions: Vec<Function>,
}

/// All libraries.
#[derive(Debug, Default)]
pub(super) struct Functions {
    libraries: BTreeMap<Rc<str>, Library>,
    /// Lower-case name of each function to its library and its index there.
    functions: BTreeMap<Box<str>, (Rc<str>, usize)>,
}

/// What is said of a name that is none.
pub(super) const BAD_NAME: &str = "ERR Library names can only contain letters, numbers, or \
                                   underscores(_) and must be at least one character long";

/// Whether a library or function may be called so.
pub(super) fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_')
}

impl Functions {
    /// The function called `name`, in any case.
    pub(super) fn get(&self, name: &[u8]) -> Option<&Function> {
        let name = std::str::from_utf8(name).ok()?.to_ascii_lowercase();
        let (library, index) = self.functions.get(name.as_str())?;
        self.libraries.get(library)?.functions.get(*index)
    }

    /// The library that holds a function, in any case.
    pub(super) fn library_of(&self, function: &str) -> Option<&str> {
        let (library, _) = self.functions.get(function.to_ascii_lowercase().as_str())?;
        Some(library)
    }

    /// Libraries by name.
    pub(super) fn libraries(&self) -> impl ExactSizeIterator<Item = (&Rc<str>, &Library)> {
        self.libraries.iter()
    }

    /// Whether there is a library called `name`.
    pub(super) fn has_library(&self, name: &str) -> bool {
        self.libraries.contains_key(name)
    }

    /// Adds a library; none of its functions' names may be taken.
    pub(super) fn insert(&mut self, name: &str, library: Library) {
        let name: Rc<str> = name.into();
        for (index, function) in library.functions.iter().enumerate() {
            let known = function.name.to_ascii_lowercase().into();
            self.functions.insert(known, (Rc::clone(&name), index));
        }
        self.libraries.insert(name, library);
    }

    /// Removes a library; the slots of its functions.
    pub(super) fn remove(&mut self, name: &str) -> Option<Vec<usize>> {
        let library = self.libraries.remove(name)?;
        for function in &library.functions {
            self.functions.remove(function.name.to_ascii_lowercase().as_str());
        }
        Some(library.functions.iter().map(|function| function.slot).collect())
    }

    /// How many functions there are.
    pub(super) fn function_count(&self) -> usize {
        self.functions.len()
    }

    /// How many libraries there are.
    pub(super) fn library_count(&self) -> usize {
        self.libraries.len()
    }

    /// Bytes of memory taken, compiled code excepted, about. O(functions).
    pub(super) fn memory_bytes(&self) -> usize {
        let counted = |name: &str| size_class(name.len() + 2 * size_of::<usize>());
        let libraries = self.libraries.iter().map(|(name, library)| {
            let functions = library.functions.iter().map(|function| {
                let description = function.description.as_ref().map_or(0, |text| text.len());
                counted(&function.name) + size_class(function.name.len()) + description
            });
            counted(name)
                + size_class(library.code.len())
                + library.functions.capacity() * size_of::<Function>()
                + functions.sum::<usize>()
        });
        libraries.sum::<usize>()
            + btree_bytes(self.libraries.len(), size_of::<(Rc<str>, Library)>())
            + btree_bytes(self.functions.len(), size_of::<(Box<str>, (Rc<str>, usize))>())
    }
}
