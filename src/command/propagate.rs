//! How a call is told to those who do it again: the append-only file, later replicas.
//!
//! Its own words will do for most calls. A call that depends on the clock, on chance, on what it
//! finds or on waiting is told as other commands, which do the same to the same data at any time.
//! While nobody hears, nothing is put together.

use crate::protocol::encode;

/// See the head of the file.
#[derive(Debug, Default)]
pub struct Telling {
    is_heard: bool,
    form: Form,
    bytes: Vec<u8>,
    commands: usize,
}

/// What stands for the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Form {
    /// Its own words, if it changed anything.
    #[default]
    OwnWords,
    /// Its own words, whether or not it changed anything.
    Always,
    /// The commands that were told, of which there may be none.
    Told,
}

/// Bytes that are kept for the next call.
const KEPT_BYTES: usize = 64 * 1024;

impl Telling {
    /// Begins a call.
    pub fn begin(&mut self, is_heard: bool) {
        self.is_heard = is_heard;
        self.form = Form::OwnWords;
        self.commands = 0;
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
    }

    /// Whether anybody hears.
    #[inline]
    pub fn is_heard(&self) -> bool {
        self.is_heard
    }

    /// Has the call's own words told even if nothing has changed.
    pub fn always(&mut self) {
        self.form = Form::Always;
    }

    /// Has nothing told but what follows.
    pub fn nothing(&mut self) {
        self.form = Form::Told;
    }

    /// Tells a command instead of the call's own words, behind those told already.
    pub fn instead<'w>(
        &mut self,
        words: impl IntoIterator<Item = &'w [u8], IntoIter: ExactSizeIterator>,
    ) {
        if !self.is_heard {
            return;
        }
        self.form = Form::Told;
        self.commands += 1;
        encode::request(&mut self.bytes, words.into_iter());
    }

    /// What stands for the call.
    pub fn form(&self) -> Form {
        self.form
    }

    /// The commands told instead, encoded.
    pub fn commands(&self) -> &[u8] {
        &self.bytes
    }

    /// How many commands were told instead.
    pub fn command_count(&self) -> usize {
        self.commands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_told_stands_for_the_call() {
        let mut telling = Telling::default();
        telling.instead([&b"DEL"[..], b"k"]);
        assert_eq!((telling.form(), telling.command_count()), (Form::OwnWords, 0));
        telling.begin(true);
        telling.instead([&b"DEL"[..], b"k"]);
        telling.instead([&b"DEL"[..], b"l"]);
        assert_eq!((telling.form(), telling.command_count()), (Form::Told, 2));
        let expected = b"*2\r\n$3\r\nDEL\r\n$1\r\nk\r\n*2\r\n$3\r\nDEL\r\n$1\r\nl\r\n";
        assert_eq!(telling.commands(), expected);
        telling.begin(true);
        telling.nothing();
        assert_eq!((telling.form(), telling.command_count()), (Form::Told, 0));
    }
}
