//! Entry for fuzzing: any bytes as a file.

use super::file::{Files, Origin, Reader};
use super::rewrite::{Extent, rewrite};
use super::table::{Config, Field};

/// Files that all hold the bytes under test: including any is including oneself.
struct Mirrors<'a>(&'a [u8]);

impl Files for Mirrors<'_> {
    fn read(&mut self, _path: &str) -> Result<Vec<u8>, String> {
        Ok(self.0.to_vec())
    }

    fn matching(&mut self, pattern: &str) -> Vec<String> {
        vec![pattern.to_owned(), pattern.to_owned()]
    }

    fn enter(&mut self, dir: &str) -> Result<String, String> {
        Ok(dir.to_owned())
    }
}

fn read(bytes: &[u8]) -> Option<Config> {
    let mut files = Mirrors(bytes);
    let mut reader = Reader::new(&mut files, &|_| true);
    reader.lines(bytes, &Origin::Stdin).ok()?;
    reader.finish().ok()
}

/// Reads `bytes` as a file. What is accepted must mean the same after CONFIG REWRITE, of this file
/// and of an empty one.
///
/// # Panics
/// If it does not.
pub fn parse(bytes: &[u8]) {
    let Some(config) = read(bytes) else { return };
    for old in [bytes, b""] {
        let text = rewrite(old, &config, None, Extent::Changed);
        let again = read(&text);
        let differs = |field: &&Field| match &again {
            Some(again) => !(field.directive().same)(again, &config),
            None => true,
        };
        let different = Field::ALL.iter().find(differs);
        assert!(different.is_none(), "{different:?} in {}", String::from_utf8_lossy(&text));
    }
}
