//! A file that is written by a thread of its own, while another one still makes up what comes next.

use std::fs::File;
use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

/// Chunks on their way at most: 2 MiB of a writer that hands over 256 KiB at once.
const CHUNKS_AHEAD: usize = 8;
/// Bytes between two syncs of a file that is written piece by piece.
const PIECE_BYTES: usize = 4 * 1024 * 1024;

/// See the head of the file.
#[derive(Debug)]
pub(super) struct Spool {
    chunks: Option<SyncSender<Vec<u8>>>,
    thread: Option<JoinHandle<io::Result<()>>>,
}

impl Spool {
    /// Writes to `file`, and syncs it now and then if `syncs_piecewise`.
    pub(super) fn start(file: File, syncs_piecewise: bool) -> io::Result<Self> {
        let (sender, chunks) = sync_channel(CHUNKS_AHEAD);
        let work = move || write(file, &chunks, syncs_piecewise);
        let thread = thread::Builder::new().name("spool".into()).spawn(work)?;
        Ok(Self { chunks: Some(sender), thread: Some(thread) })
    }

    /// Waits until all is on the disk.
    pub(super) fn finish(mut self) -> io::Result<()> {
        self.chunks = None;
        self.outcome()
    }

    fn outcome(&mut self) -> io::Result<()> {
        let ended = self.thread.take().map(JoinHandle::join);
        ended.unwrap_or(Ok(Ok(()))).unwrap_or_else(|_| Err(io::Error::other("the writer is gone")))
    }
}

impl Drop for Spool {
    /// Nobody waits for the rest, but the file is not to be written to any more.
    fn drop(&mut self) {
        self.chunks = None;
        // Whoever drops it has no use for the outcome.
        let _ = self.outcome();
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let is_sent =
            self.chunks.as_ref().is_some_and(|chunks| chunks.send(bytes.to_vec()).is_ok());
        if is_sent {
            return Ok(bytes.len());
        }
        // It has stopped taking chunks, and its end says why.
        self.chunks = None;
        self.outcome()?;
        Err(io::Error::other("the file is closed"))
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(mut file: File, chunks: &Receiver<Vec<u8>>, syncs_piecewise: bool) -> io::Result<()> {
    let mut unsynced = 0;
    for chunk in chunks {
        file.write_all(&chunk)?;
        unsynced += chunk.len();
        if syncs_piecewise && unsynced >= PIECE_BYTES {
            file.sync_data()?;
            unsynced = 0;
        }
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::*;

    #[test]
    fn all_chunks_arrive_in_order() {
        let path = std::env::temp_dir().join(format!("ochre-spool-{}", std::process::id()));
        let mut spool = Spool::start(File::create(&path).unwrap(), true).unwrap();
        for number in 0_u8..40 {
            spool.write_all(&vec![number; 300_000]).unwrap();
        }
        spool.finish().unwrap();
        let written = std::fs::read(&path).unwrap();
        std::fs::remove_file(&path).unwrap();
        assert_eq!(written.len(), 40 * 300_000);
        assert!(
            written.chunks(300_000).zip(0_u8..).all(|(chunk, own)| chunk == vec![own; 300_000])
        );
    }

    #[test]
    fn a_full_disk_is_told_by_a_later_write() {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let mut spool = Spool::start(full, false).unwrap();
        let error = (0..1000).find_map(|_| spool.write_all(&[0; 1000]).err()).unwrap();
        assert_eq!(error.kind(), io::ErrorKind::StorageFull);
    }
}
