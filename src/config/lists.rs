//! Values of several words: save points, buffer limits, addresses and the like.

use std::fmt::Write as _;

use super::choices::one_of;
use super::kinds::{Refusal, Setting, Source, memory, memory_text};
use super::row::Row;
use super::words;
use crate::base::number::parse_int;

/// Addresses to listen on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Addresses(pub Vec<String>);

/// More cannot be listened on.
const ADDRESSES_MAX: usize = 16;

impl Setting for Addresses {
    const SEVERAL: bool = true;

    fn assign(&mut self, words: &[&[u8]], _row: &Row, _source: Source) -> Result<(), Refusal> {
        if words.len() > ADDRESSES_MAX {
            return Err("Too many bind addresses specified.".into());
        }
        let words = words.iter().filter(|word| !word.is_empty());
        let addresses: Result<Vec<_>, _> = words.map(|w| String::from_utf8(w.to_vec())).collect();
        self.0 = addresses.map_err(|_| "argument must be valid UTF-8")?;
        Ok(())
    }

    fn text(&self) -> Vec<u8> {
        self.0.join(" ").into_bytes()
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        vec![if self.0.is_empty() { b"\"\"".to_vec() } else { self.text() }]
    }

    fn syntax(_row: &Row) -> String {
        "up to 16 addresses; - before one lets it be absent, * is any".into()
    }
}

/// Save the data set when so many changes have gathered in so many seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SavePoint {
    /// Seconds since the last save.
    pub seconds: u64,
    /// Changes since the last save.
    pub changes: u64,
}

/// The save points. The first `save` line of a file replaces the default ones, later lines add.
#[derive(Clone, Debug)]
pub struct SavePoints {
    points: Vec<SavePoint>,
    is_default: bool,
}

impl SavePoints {
    /// The points.
    pub fn points(&self) -> &[SavePoint] {
        &self.points
    }
}

impl Default for SavePoints {
    fn default() -> Self {
        let points = [(3600, 1), (300, 100), (60, 10000)];
        let points = points.map(|(seconds, changes)| SavePoint { seconds, changes });
        Self { points: points.to_vec(), is_default: true }
    }
}

impl PartialEq for SavePoints {
    fn eq(&self, other: &Self) -> bool {
        self.points == other.points
    }
}

impl Setting for SavePoints {
    const SEVERAL: bool = true;

    fn assign(&mut self, words: &[&[u8]], _row: &Row, source: Source) -> Result<(), Refusal> {
        const FORM: &str = "Invalid save parameters";
        let words = if words == [b""] { &[] } else { words };
        let number = |word: &[u8], min| -> Result<u64, Refusal> {
            let value = parse_int(word).filter(|&value| value >= min).ok_or(FORM)?;
            u64::try_from(value).map_err(|_| FORM.into())
        };
        let mut points = Vec::new();
        for pair in words.chunks(2) {
            let [seconds, changes] = pair else { return Err(FORM.into()) };
            points.push(SavePoint { seconds: number(seconds, 1)?, changes: number(changes, 0)? });
        }
        let adds = source == Source::File && !self.is_default && !points.is_empty();
        if !adds {
            self.points.clear();
        }
        self.points.extend(points);
        self.is_default = source == Source::Environment;
        Ok(())
    }

    fn text(&self) -> Vec<u8> {
        let mut text = String::new();
        for SavePoint { seconds, changes } in &self.points {
            let blank = if text.is_empty() { "" } else { " " };
            let _infallible = write!(text, "{blank}{seconds} {changes}");
        }
        text.into_bytes()
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        if self.points.is_empty() {
            return vec![b"\"\"".to_vec()];
        }
        let line = |point: &SavePoint| format!("{} {}", point.seconds, point.changes).into_bytes();
        self.points.iter().map(line).collect()
    }

    fn syntax(_row: &Row) -> String {
        "pairs of seconds and changes; \"\" for none".into()
    }
}

/// Bounds of one client's output buffer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct OutputLimit {
    /// Bytes that disconnect at once; 0 is none.
    pub hard: u64,
    /// Bytes that disconnect when exceeded for [`OutputLimit::soft_seconds`]; 0 is none.
    pub soft: u64,
    /// How long the soft bound may be exceeded.
    pub soft_seconds: u64,
}

/// Output buffer bounds per class of client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutputLimits {
    /// Ordinary clients.
    pub normal: OutputLimit,
    /// Replicas.
    pub replica: OutputLimit,
    /// Clients with a subscription.
    pub pubsub: OutputLimit,
}

impl Default for OutputLimits {
    fn default() -> Self {
        Self {
            normal: OutputLimit::default(),
            replica: OutputLimit { hard: 256 << 20, soft: 64 << 20, soft_seconds: 60 },
            pubsub: OutputLimit { hard: 32 << 20, soft: 8 << 20, soft_seconds: 60 },
        }
    }
}

impl Setting for OutputLimits {
    const SEVERAL: bool = true;

    fn assign(&mut self, words: &[&[u8]], _row: &Row, _source: Source) -> Result<(), Refusal> {
        const COUNT: &str = "Wrong number of arguments in buffer limit configuration.";
        const CLASS: &str = "Invalid client class specified in buffer limit configuration.";
        const VALUE: &str =
            "Error in hard, soft or soft_seconds setting in buffer limit configuration.";
        let mut limits = *self;
        for group in words.chunks(4) {
            let [class, hard, soft, seconds] = group else { return Err(COUNT.into()) };
            let limit = match class.to_ascii_lowercase().as_slice() {
                b"normal" => &mut limits.normal,
                b"slave" | b"replica" => &mut limits.replica,
                b"pubsub" => &mut limits.pubsub,
                _ => return Err(CLASS.into()),
            };
            let seconds = parse_int(seconds).and_then(|value| u64::try_from(value).ok());
            let (Some(hard), Some(soft), Some(soft_seconds)) =
                (memory(hard), memory(soft), seconds)
            else {
                return Err(VALUE.into());
            };
            *limit = OutputLimit { hard, soft, soft_seconds };
        }
        *self = limits;
        Ok(())
    }

    fn text(&self) -> Vec<u8> {
        // Clients know the old name of the second class.
        let classes = [("normal", self.normal), ("slave", self.replica), ("pubsub", self.pubsub)];
        let text = classes.map(|(class, limit)| {
            format!("{class} {} {} {}", limit.hard, limit.soft, limit.soft_seconds)
        });
        text.join(" ").into_bytes()
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        let classes = [("normal", self.normal), ("replica", self.replica), ("pubsub", self.pubsub)];
        let line = |(class, limit): (&str, OutputLimit)| {
            let (hard, soft) = (memory_text(limit.hard), memory_text(limit.soft));
            format!("{class} {hard} {soft} {}", limit.soft_seconds).into_bytes()
        };
        classes.into_iter().map(line).collect()
    }

    fn syntax(_row: &Row) -> String {
        "class (normal, replica, pubsub), hard bytes, soft bytes, seconds; repeatable".into()
    }
}

/// Out-of-memory scores of a primary, a replica and a background child.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OomScores(pub [i32; 3]);

impl Setting for OomScores {
    const SEVERAL: bool = true;

    fn assign(&mut self, words: &[&[u8]], _row: &Row, _source: Source) -> Result<(), Refusal> {
        let score = |word: &[u8]| -> Result<i32, Refusal> {
            let value = parse_int(word).filter(|value| (-2000..=2000).contains(value));
            value.and_then(|value| i32::try_from(value).ok()).ok_or(
                "Invalid oom-score-adj-values, elements must be between -2000 and 2000.".into(),
            )
        };
        let [primary, replica, child] = words else {
            return Err("wrong number of arguments".into());
        };
        self.0 = [score(primary)?, score(replica)?, score(child)?];
        Ok(())
    }

    fn text(&self) -> Vec<u8> {
        self.0.map(|score| score.to_string()).join(" ").into_bytes()
    }

    fn syntax(_row: &Row) -> String {
        "three integers from -2000 to 2000".into()
    }
}

/// Percentiles shown by INFO latencystats.
#[derive(Clone, Debug, PartialEq)]
pub struct Percentiles(pub Vec<f64>);

impl Setting for Percentiles {
    const SEVERAL: bool = true;

    fn assign(&mut self, words: &[&[u8]], _row: &Row, _source: Source) -> Result<(), Refusal> {
        let words = if words == [b""] { &[] } else { words };
        let mut percentiles = Vec::with_capacity(words.len());
        for word in words {
            let value = std::str::from_utf8(word).ok().and_then(|text| text.parse::<f64>().ok());
            match value {
                Some(value) if (0.0..=100.0).contains(&value) => percentiles.push(value),
                Some(value) if !value.is_nan() => {
                    return Err("latency-tracking-info-percentiles parameters should sit between \
                                [0.0,100.0]"
                        .into());
                }
                _ => return Err("Invalid latency-tracking-info-percentiles parameters".into()),
            }
        }
        self.0 = percentiles;
        Ok(())
    }

    fn text(&self) -> Vec<u8> {
        let text = self.0.iter().map(|value| {
            let digits = format!("{value:.6}");
            digits.trim_end_matches('0').trim_end_matches('.').to_owned()
        });
        text.collect::<Vec<_>>().join(" ").into_bytes()
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        vec![if self.0.is_empty() { b"\"\"".to_vec() } else { self.text() }]
    }

    fn syntax(_row: &Row) -> String {
        "percentiles from 0 to 100; \"\" for none".into()
    }
}

/// Another server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Setting for Option<Endpoint> {
    const SEVERAL: bool = true;

    fn assign(&mut self, words: &[&[u8]], _row: &Row, _source: Source) -> Result<(), Refusal> {
        let [host, port] = words else { return Err("wrong number of arguments".into()) };
        if host.eq_ignore_ascii_case(b"no") && port.eq_ignore_ascii_case(b"one") {
            *self = None;
            return Ok(());
        }
        let port = parse_int(port).and_then(|port| u16::try_from(port).ok());
        let port = port.ok_or("Invalid master port")?;
        let host = String::from_utf8(host.to_vec()).map_err(|_| "argument must be valid UTF-8")?;
        *self = Some(Endpoint { host, port });
        Ok(())
    }

    fn text(&self) -> Vec<u8> {
        let text = self.as_ref().map(|peer| format!("{} {}", peer.host, peer.port));
        text.unwrap_or_default().into_bytes()
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        let line = |peer: &Endpoint| {
            let mut line = words::plain_or_quoted(peer.host.as_bytes());
            line.extend(format!(" {}", peer.port).bytes());
            line
        };
        self.iter().map(line).collect()
    }

    fn syntax(_row: &Row) -> String {
        "host and port, or no one".into()
    }
}

/// What a signal's shutdown does; nothing set is the default behaviour.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ShutdownOptions(u8);

/// Words in the order they are printed. The first five are Redis's.
const SHUTDOWN_WORDS: [(&str, ShutdownOptions); 7] = [
    ("default", ShutdownOptions(0)),
    ("save", ShutdownOptions::SAVE),
    ("nosave", ShutdownOptions::NOSAVE),
    ("now", ShutdownOptions::NOW),
    ("force", ShutdownOptions::FORCE),
    ("safe", ShutdownOptions(16)),
    ("failover", ShutdownOptions(32)),
];

impl ShutdownOptions {
    /// Save even without save points.
    pub const SAVE: Self = Self(1);
    /// Don't save.
    pub const NOSAVE: Self = Self(2);
    /// Don't wait for replicas.
    pub const NOW: Self = Self(4);
    /// Stop even if saving fails.
    pub const FORCE: Self = Self(8);

    /// Whether `option` is among them.
    pub const fn has(self, option: Self) -> bool {
        self.0 & option.0 != 0
    }
}

impl Setting for ShutdownOptions {
    const SEVERAL: bool = true;

    fn assign(&mut self, words: &[&[u8]], _row: &Row, _source: Source) -> Result<(), Refusal> {
        let listed = || one_of(&SHUTDOWN_WORDS.map(|(word, _)| word)[..5]);
        if words.is_empty() {
            return Err(listed());
        }
        let mut options = 0;
        for word in words {
            let word = word.to_ascii_lowercase();
            let found = SHUTDOWN_WORDS.iter().find(|(known, _)| known.as_bytes() == word);
            options |= found.ok_or_else(listed)?.1.0;
        }
        let options = Self(options);
        if options.has(Self::SAVE) && options.has(Self::NOSAVE) {
            return Err("shutdown options SAVE and NOSAVE can't be used simultaneously".into());
        }
        *self = options;
        Ok(())
    }

    fn text(&self) -> Vec<u8> {
        if self.0 == 0 {
            return b"default".to_vec();
        }
        let words = SHUTDOWN_WORDS.iter().filter(|(_, option)| self.has(*option));
        words.map(|(word, _)| *word).collect::<Vec<_>>().join(" ").into_bytes()
    }

    fn syntax(_row: &Row) -> String {
        "default, or some of save nosave now force".into()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::super::row::live;
    use super::*;

    fn check<T: Setting>(start: &T, value: &str, expected: Result<&str, &str>) {
        let mut setting = start.clone();
        let words: Vec<&[u8]> =
            if value.is_empty() { vec![] } else { value.split(' ').map(str::as_bytes).collect() };
        let got = setting.assign(&words, &live("x"), Source::Command);
        let got = got.map(|()| String::from_utf8(setting.text()).unwrap());
        assert_eq!(got.as_deref().map_err(|refusal| &**refusal), expected, "{value}");
    }

    #[test]
    fn save_points_come_in_pairs() {
        let start = SavePoints::default();
        check(&start, "900 1 300 10", Ok("900 1 300 10"));
        check(&start, "", Ok(""));
        check(&start, "1 0", Ok("1 0"));
        for bad in ["900", "900 1 300", "0 1", "1 -1", "a b", "900  1"] {
            check(&start, bad, Err("Invalid save parameters"));
        }
    }

    #[test]
    fn save_lines_add_after_the_first() {
        let mut save = SavePoints::default();
        for (line, expected) in [("900 1", "900 1"), ("100 100", "900 1 100 100"), ("", "")] {
            let words: Vec<&[u8]> =
                line.split(' ').map(str::as_bytes).filter(|word| !word.is_empty()).collect();
            save.assign(&words, &live("save"), Source::File).unwrap();
            assert_eq!(save.text(), expected.as_bytes());
        }
    }

    #[test]
    fn buffer_limits_change_by_class() {
        let start = OutputLimits::default();
        let replica = "slave 268435456 67108864 60";
        let pubsub = "pubsub 33554432 8388608 60";
        check(&start, "", Ok(&format!("normal 0 0 0 {replica} {pubsub}")));
        check(&start, "NORMAL 1k 2kb 3", Ok(&format!("normal 1000 2048 3 {replica} {pubsub}")));
        check(&start, "replica 1 2 3", Ok(&format!("normal 0 0 0 slave 1 2 3 {pubsub}")));
        check(
            &start,
            "foo 1 2 3",
            Err("Invalid client class specified in buffer limit \
                                         configuration."),
        );
        check(
            &start,
            "normal 1 2",
            Err("Wrong number of arguments in buffer limit \
                                          configuration."),
        );
        for bad in ["normal a 2 3", "normal 1 2 -1"] {
            check(
                &start,
                bad,
                Err("Error in hard, soft or soft_seconds setting in buffer limit \
                                     configuration."),
            );
        }
    }

    #[test]
    fn percentiles_drop_zeros() {
        let start = Percentiles(vec![]);
        check(&start, "50 99 99.9 100", Ok("50 99 99.9 100"));
        check(&start, "0.0 1e1 50.123456789", Ok("0 10 50.123457"));
        check(&start, "nan", Err("Invalid latency-tracking-info-percentiles parameters"));
        check(
            &start,
            "-1",
            Err("latency-tracking-info-percentiles parameters should sit \
                                  between [0.0,100.0]"),
        );
    }

    #[test]
    fn shutdown_options_combine() {
        let start = ShutdownOptions::default();
        check(&start, "now nosave", Ok("nosave now"));
        check(&start, "default now", Ok("now"));
        check(&start, "default", Ok("default"));
        check(
            &start,
            "save nosave",
            Err("shutdown options SAVE and NOSAVE can't be used \
                                           simultaneously"),
        );
        check(
            &start,
            "",
            Err("argument(s) must be one of the following: default, save, nosave, \
                               now, force"),
        );
    }

    #[test]
    fn endpoints_and_scores_count_their_words() {
        check(&None::<Endpoint>, "a 1", Ok("a 1"));
        check(&None::<Endpoint>, "no one", Ok(""));
        check(&None::<Endpoint>, "a b", Err("Invalid master port"));
        check(&None::<Endpoint>, "a", Err("wrong number of arguments"));
        check(&OomScores([0; 3]), "-2000 0 2000", Ok("-2000 0 2000"));
        check(&OomScores([0; 3]), "1 2", Err("wrong number of arguments"));
        check(
            &OomScores([0; 3]),
            "a 2 1",
            Err("Invalid oom-score-adj-values, elements must be \
                                                 between -2000 and 2000."),
        );
    }
}
