//! The decoder against whole requests, in pieces of every size.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::*;
use proptest::prelude::*;

const TRUSTED: DecodeLimits = DecodeLimits { bulk_len_max: 512 << 20, is_trusted: true };
const STRANGER: DecodeLimits = DecodeLimits { is_trusted: false, ..TRUSTED };

type Words = Vec<Vec<u8>>;

/// A connection as the server has it.
#[derive(Default)]
struct Peer {
    decoder: Decoder,
    buffer: Vec<u8>,
    requests: Vec<Words>,
    error: Option<String>,
    reads_large: bool,
}

impl Peer {
    fn receive(&mut self, mut bytes: &[u8], limits: &DecodeLimits) {
        if self.reads_large
            && let Some((target, missing)) = self.decoder.large_target()
        {
            assert!(target.len() < target.capacity());
            let taken = missing.min(bytes.len());
            target.extend_from_slice(&bytes[..taken]);
            bytes = &bytes[taken..];
        }
        self.buffer.extend_from_slice(bytes);
        let mut batch = Batch::default();
        while self.error.is_none() {
            let decoded = self.decoder.decode(&self.buffer, limits, &mut batch);
            self.requests.extend(batch.requests.iter().map(|request| {
                let spans = batch.spans_of(request).iter();
                spans.map(|span| batch.word(&self.buffer, *span).to_vec()).collect::<Words>()
            }));
            assert!(batch.requests.iter().all(|it| it.ends_at as usize <= decoded.consumed));
            assert!(decoded.error.is_none() || batch.requests.is_empty());
            self.buffer.truncate(decoded.keep_to);
            self.buffer.drain(..decoded.consumed);
            self.error = decoded.error.as_ref().map(ToString::to_string);
            if !decoded.has_more() {
                return;
            }
        }
    }
}

fn whole(input: &[u8], limits: &DecodeLimits) -> (Vec<Words>, Option<String>) {
    let mut peer = Peer::default();
    peer.receive(input, limits);
    (peer.requests, peer.error)
}

#[track_caller]
fn check(input: &str, expected: &[&[&str]]) {
    let (requests, error) = whole(input.as_bytes(), &TRUSTED);
    let expected: Vec<Words> = expected
        .iter()
        .map(|words| words.iter().map(|word| word.as_bytes().to_vec()).collect())
        .collect();
    assert_eq!((requests, error), (expected, None), "{input:?}");
}

#[track_caller]
fn check_refused(input: &[u8], limits: &DecodeLimits, expected: Option<&str>) {
    let expected = expected.map(|what| format!("ERR Protocol error: {what}"));
    assert_eq!(whole(input, limits).1, expected, "{:?}", input.escape_ascii().to_string());
}

#[test]
fn requests_are_found() {
    check("*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$1\r\nk\r\n", &[&["PING"], &["GET", "k"]]);
    check("PING\r\n*1\r\n$0\r\n\r\necho \"a b\"\n", &[&["PING"], &[""], &["echo", "a b"]]);
    check("*0\r\n*-1\r\n\r\n\n  \r\n*1\r\n$4\r\nPING\r\n", &[&["PING"]]);
    // Neither LF nor the bytes behind a bulk are looked at.
    check("*1\rx$4\rxPINGxx*1\r\n$4\r\nPONG\r\n", &[&["PING"], &["PONG"]]);
    let long = "x".repeat(1000);
    check(&format!("*2\r\n$4\r\nECHO\r\n$1000\r\n{long}\r\n"), &[&["ECHO", &long]]);
    check("*2147483647\r\n", &[]);
    check("*1\r\nfoo", &[]);
    check(" *1\r\n$4\r\nPING\r\n", &[&["*1"], &["$4"], &["PING"]]);
}

#[test]
fn errors_are_those_of_the_reference() {
    let refused: [(&[u8], &str); 16] = [
        (b"*a\r\n", "invalid multibulk length"),
        (b"*\r\n", "invalid multibulk length"),
        (b"*03\r\n", "invalid multibulk length"),
        (b"*2147483648\r\n", "invalid multibulk length"),
        (b"*1\r\n$-1\r\n", "invalid bulk length"),
        (b"*1\r\n$\r\n", "invalid bulk length"),
        (b"*1\r\n$04\r\nPING\r\n", "invalid bulk length"),
        (b"*1\r\n$536870913\r\n", "invalid bulk length"),
        (b"*1\r\n$9223372036854775808\r\n", "invalid bulk length"),
        (b"*1\r\nfoo\r\n", "expected '$', got 'f'"),
        (b"*1\r\n\r\n", "expected '$', got '\r'"),
        (b"*2\r\n$1\r\na\r\n:1\r\n", "expected '$', got ':'"),
        (b"PING\r\n*a\r\n", "invalid multibulk length"),
        (b"a\"b\r\n", "unbalanced quotes in request"),
        (b"'a'b\r\n", "unbalanced quotes in request"),
        (b"\"a\r\n", "unbalanced quotes in request"),
    ];
    for (input, what) in refused {
        check_refused(input, &TRUSTED, Some(what));
    }
    check_refused(&vec![b'a'; 65_536], &TRUSTED, None);
    check_refused(&vec![b'a'; 65_537], &TRUSTED, Some("too big inline request"));
    let digits = |head: &str, count| [head.as_bytes(), &vec![b'1'; count]].concat();
    check_refused(&digits("*", 65_535), &TRUSTED, None);
    check_refused(&digits("*", 65_536), &TRUSTED, Some("too big mbulk count string"));
    check_refused(&digits("*1\r\n$", 65_535), &TRUSTED, None);
    check_refused(&digits("*1\r\n$", 65_536), &TRUSTED, Some("too big bulk count string"));
}

#[test]
fn strangers_may_send_little() {
    check_refused(b"*10\r\n", &STRANGER, None);
    check_refused(b"*11\r\n", &STRANGER, Some("unauthenticated multibulk length"));
    check_refused(b"*1\r\n$16384\r\n", &STRANGER, None);
    check_refused(b"*1\r\n$16385\r\n", &STRANGER, Some("unauthenticated bulk length"));
    check_refused(b"*-1\r\n*12\r\n", &STRANGER, Some("unauthenticated multibulk length"));
}

#[test]
fn limits_are_looked_at_again_behind_a_batch() {
    let buffer = b"AUTH x\r\n*11\r\n$1\r\n";
    let (mut decoder, mut batch) = (Decoder::default(), Batch::default());
    let decoded = decoder.decode(buffer, &STRANGER, &mut batch);
    assert!(decoded.has_more());
    assert_eq!((batch.requests.len(), decoded.consumed), (1, 8));
    let decoded = decoder.decode(&buffer[8..], &TRUSTED, &mut batch);
    assert!(decoded.error.is_none() && !decoded.has_more());
}

#[test]
fn large_bulks_get_their_own_allocation() {
    let len = 3 * LARGE_BULK_RESERVE;
    let head = format!("PING\r\n*3\r\n$3\r\nSET\r\n$1\r\nk\r\n${len}\r\nabc");
    let (mut decoder, mut batch) = (Decoder::default(), Batch::default());
    let decoded = decoder.decode(head.as_bytes(), &TRUSTED, &mut batch);
    assert_eq!((decoded.consumed, decoded.keep_to), (6, head.len() - 3));
    assert_eq!(decoded.missing, len - 3);
    assert!(decoder.memory_bytes() < LARGE_BULK_RESERVE + 4096, "what came, not what was said");
    let mut buffer = head.as_bytes()[6..head.len() - 3].to_vec();
    while let Some((target, missing)) = decoder.large_target() {
        let room = (target.capacity() - target.len()).min(missing).min(100_000);
        target.resize(target.len() + room, b'x');
    }
    assert_eq!(decoder.decode(&buffer, &TRUSTED, &mut batch).missing, 2);
    assert!(decoder.large_target().is_none() && decoder.is_amid_request());
    buffer.extend_from_slice(b"\r\n");
    let decoded = decoder.decode(&buffer, &TRUSTED, &mut batch);
    assert_eq!((decoded.consumed, batch.requests.len()), (buffer.len(), 1));
    assert_eq!((batch.large[0].len(), batch.large[0].capacity()), (len, len));
    assert!(batch.large[0].starts_with(b"abcxxx"));
    assert_eq!(decoder.memory_bytes(), 0);
}

#[test]
fn a_million_words_in_small_pieces_cost_linear_time() {
    let mut input = b"*1000000\r\n".to_vec();
    input.extend_from_slice(&b"$1\r\nx\r\n".repeat(1_000_000));
    let (mut decoder, mut batch) = (Decoder::default(), Batch::default());
    for end in (0..input.len()).step_by(50) {
        assert_eq!(decoder.decode(&input[..end], &TRUSTED, &mut batch).consumed, 0);
    }
    assert_eq!(decoder.decode(&input, &TRUSTED, &mut batch).consumed, input.len());
    assert_eq!(batch.spans.len(), 1_000_000);
    batch.clear();
    batch.shrink();
    assert!(batch.spans.capacity() <= BATCH_WORDS_MAX);
}

#[test]
fn unfinished_lines_cost_linear_time() {
    let mut peer = Peer::default();
    peer.receive(b"*2\r\n$1\r\na\r\n$", &TRUSTED);
    for _ in 0..65_535 {
        peer.receive(b"1", &TRUSTED);
    }
    assert_eq!(peer.error, None);
    peer.receive(b"1", &TRUSTED);
    assert_eq!(peer.error.as_deref(), Some("ERR Protocol error: too big bulk count string"));
}

#[test]
fn batches_are_bounded() {
    let input = b"PING\r\n".repeat(BATCH_REQUESTS_MAX + 1);
    let (mut decoder, mut batch) = (Decoder::default(), Batch::default());
    let decoded = decoder.decode(&input, &TRUSTED, &mut batch);
    assert!(decoded.has_more() && batch.requests.len() == BATCH_REQUESTS_MAX);
    let decoded = decoder.decode(&input[decoded.consumed..], &TRUSTED, &mut batch);
    assert!(!decoded.has_more() && batch.requests.len() == 1 && !decoder.is_amid_request());
}

fn word() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        20 => prop::collection::vec(any::<u8>(), 0..12),
        4 => (90_usize..1100).prop_map(|len| vec![b'y'; len]),
        1 => (LARGE_BULK_MIN - 2..LARGE_BULK_MIN + 300).prop_map(|len| vec![b'\r'; len]),
    ]
}

fn request() -> impl Strategy<Value = Vec<u8>> {
    let words = prop_oneof![
        6 => prop::collection::vec(word(), 0..5),
        1 => prop::collection::vec(Just(b"w".to_vec()), 10..130),
    ];
    let multibulk = words.prop_map(|words| {
        let mut bytes = format!("*{}\r\n", words.len()).into_bytes();
        for word in words {
            bytes.extend_from_slice(format!("${}\r\n", word.len()).as_bytes());
            bytes.extend_from_slice(&word);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes
    });
    prop_oneof![6 => multibulk, 1 => "[ab\"' ]{0,9}\r?\n".prop_map(String::into_bytes)]
}

proptest! {
    #[test]
    fn pieces_decode_like_the_whole(
        requests in prop::collection::vec(request(), 0..12),
        tail in prop::collection::vec(prop::sample::select(b"*$1\r\na ".as_slice()), 0..12),
        pieces in prop::collection::vec(prop_oneof![1_usize..8, 1_usize..20_000], 1..40),
        reads_large: bool,
    ) {
        let input = [requests.concat(), tail].concat();
        let expected = whole(&input, &TRUSTED);
        let mut peer = Peer { reads_large, ..Peer::default() };
        let (mut rest, mut pieces) = (input.as_slice(), pieces.iter().cycle());
        while !rest.is_empty() && peer.error.is_none() {
            let (piece, behind) = rest.split_at(rest.len().min(*pieces.next().unwrap()));
            peer.receive(piece, &TRUSTED);
            rest = behind;
        }
        prop_assert_eq!((peer.requests, peer.error), expected);
    }

    #[test]
    fn garbage_is_survived(
        pieces in prop::collection::vec("[*$0-9\r\n\"'a-]{0,16}", 0..20),
        raw: Vec<u8>,
    ) {
        let mut peer = Peer::default();
        for piece in &pieces {
            peer.receive(piece.as_bytes(), &STRANGER);
        }
        prop_assert_eq!(&peer.requests, &whole(pieces.concat().as_bytes(), &STRANGER).0);
        fuzz(&raw);
    }
}
