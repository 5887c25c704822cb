//! Looking directives up, CONFIG GET and CONFIG SET.

use super::kinds::{Refusal, Source};
use super::row::{Directive, Effect, When};
use super::table::{Config, Field};
use crate::base::glob::{self, Case};
use crate::protocol::error::ReplyError;

/// What CONFIG SET may do at this moment, for this client.
#[derive(Clone, Copy, Debug, Default)]
pub struct Permission {
    /// Protected directives may be changed: see `enable-protected-configs`.
    pub protected: bool,
    /// The data set is loading.
    pub loading: bool,
}

/// What a CONFIG SET changed, and the way back.
#[derive(Debug)]
pub struct Changes {
    named: Vec<(Field, Box<str>)>,
    changed: Vec<Field>,
    before: Box<Config>,
}

impl Changes {
    /// Fields that have another value now, in the order the client named them.
    pub fn fields(&self) -> &[Field] {
        &self.changed
    }

    /// Whether `field` has another value now.
    pub fn touch(&self, field: Field) -> bool {
        self.changed.contains(&field)
    }

    /// Takes all changes back because `field` could not be applied; the reply that says why.
    pub fn undo(self, config: &mut Config, field: Field, why: &str) -> ReplyError {
        *config = *self.before;
        let named = self.named.iter().find(|(named, _)| *named == field);
        failed(named.map_or(field.directive().name(), |(_, name)| name), why)
    }
}

fn failed(name: &str, why: &str) -> ReplyError {
    let text = format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}");
    ReplyError::Text(text.into())
}

impl Field {
    /// The field of a directive with the given name or alias, in any case.
    pub fn of(name: &[u8]) -> Option<Self> {
        let has_name = |field: &&Self| {
            field.directive().names().any(|known| known.as_bytes().eq_ignore_ascii_case(name))
        };
        Self::ALL.iter().find(has_name).copied()
    }
}

impl Config {
    /// Names and values of all directives that match one of the patterns, each once. A name asked
    /// for in full comes back as it was spelled.
    pub fn get(&self, patterns: &[&[u8]]) -> Vec<(Vec<u8>, Vec<u8>)> {
        let mut found: Vec<(Vec<u8>, Vec<u8>)> = Vec::new();
        let mut add = |name: &[u8], directive: &Directive| {
            if !found.iter().any(|(other, _)| other.eq_ignore_ascii_case(name)) {
                found.push((name.to_vec(), (directive.text)(self)));
            }
        };
        for pattern in patterns {
            if !pattern.iter().any(|byte| b"*?[".contains(byte)) {
                if let Some(field) = Field::of(pattern) {
                    add(pattern, field.directive());
                }
                continue;
            }
            for field in Field::ALL {
                let directive = field.directive();
                for name in directive.names().filter(|_| !directive.is_hidden()) {
                    if glob::matches(pattern, name.as_bytes(), Case::Insensitive) {
                        add(name.as_bytes(), directive);
                    }
                }
            }
        }
        found
    }

    /// Sets all pairs of name and value, or none: every name is checked before the first value is
    /// read, and the first refusal counts.
    pub fn set(
        &mut self,
        pairs: &[(&[u8], &[u8])],
        permission: Permission,
    ) -> Result<Changes, ReplyError> {
        let named = check_names(pairs, permission)?;
        let before = Box::new(self.clone());
        for ((field, name), (_, value)) in named.iter().zip(pairs) {
            if let Err(why) = self.assign(*field, &[value], Source::Command) {
                *self = *before;
                return Err(failed(name, &why));
            }
        }

        let mut changed: Vec<Field> = Vec::new();
        for (field, _) in &named {
            if !changed.contains(field) && !(field.directive().same)(self, &before) {
                changed.push(*field);
            }
        }
        Ok(Changes { named, changed, before })
    }

    /// Sets one field from the words of a line or of CONFIG SET's value.
    pub fn assign(&mut self, field: Field, words: &[&[u8]], source: Source) -> Result<(), Refusal> {
        let directive = field.directive();
        // In CONFIG SET an empty value is no word at all.
        let words = directive.words(words)?;
        (directive.assign)(self, &words, &directive.row, source)?;
        if source != Source::Command && !self.given.contains(&field) {
            self.given.push(field);
        }
        Ok(())
    }

    /// Whether a file, the command line or the environment has set the field.
    pub fn is_given(&self, field: Field) -> bool {
        self.given.contains(&field)
    }

    /// One line that names the directives that were set and do nothing, and why; `None` if there
    /// are none. A directive set to its default goes without saying.
    pub fn without_effect(&self) -> Option<String> {
        let default = Self::default();
        let mut reasons: Vec<(Effect, Vec<&str>)> = Vec::new();
        for field in Field::ALL.iter().filter(|field| self.is_given(**field)) {
            let directive = field.directive();
            let effect = directive.effect();
            if effect == Effect::Acts || (directive.same)(self, &default) {
                continue;
            }
            match reasons.iter_mut().find(|(known, _)| *known == effect) {
                Some((_, names)) => names.push(directive.name()),
                None => reasons.push((effect, vec![directive.name()])),
            }
        }
        let part = |(effect, names): &(Effect, Vec<&str>)| {
            let names = names.join(", ");
            match effect {
                Effect::Acts => names,
                Effect::Inert(why) => format!("{names} ({why})"),
                Effect::Later(what) => format!("{names} (needs {what}: not there yet)"),
            }
        };
        let parts: Vec<String> = reasons.iter().map(part).collect();
        (!parts.is_empty()).then(|| format!("Settings without effect: {}", parts.join("; ")))
    }
}

fn check_names(
    pairs: &[(&[u8], &[u8])],
    permission: Permission,
) -> Result<Vec<(Field, Box<str>)>, ReplyError> {
    let mut named: Vec<(Field, Box<str>)> = Vec::with_capacity(pairs.len());
    for (name, _) in pairs {
        let text: Box<str> = String::from_utf8_lossy(name).into();
        let Some(field) = Field::of(name) else {
            let text =
                format!("ERR Unknown option or number of arguments for CONFIG SET - '{text}'");
            return Err(ReplyError::Text(text.into()));
        };
        let directive = field.directive();
        if directive.row.when == When::Start {
            return Err(failed(&text, "can't set immutable config"));
        }
        if directive.is_protected() && !permission.protected {
            return Err(failed(&text, "can't set protected config"));
        }
        if directive.is_denied_while_loading() && permission.loading {
            return Err(ReplyError::Loading);
        }
        // A directive and its alias may stand side by side; the later one counts.
        if named.iter().any(|(_, other)| other.eq_ignore_ascii_case(&text)) {
            return Err(failed(&text, "duplicate parameter"));
        }
        named.push((field, text));
    }
    Ok(named)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a failed test may panic")]
    use super::super::table::DIRECTIVES;
    use super::*;

    const FREE: Permission = Permission { protected: true, loading: false };

    fn set(config: &mut Config, pairs: &[(&str, &str)], permission: Permission) -> String {
        let pairs: Vec<_> = pairs.iter().map(|(n, v)| (n.as_bytes(), v.as_bytes())).collect();
        config.set(&pairs, permission).map_or_else(|error| error.to_string(), |_| "OK".into())
    }

    /// Sets one value; what GET says, or the refusal's reason.
    fn check(name: &str, value: &str, expected: Result<&str, &str>) {
        let mut config = Config::default();
        let got = match set(&mut config, &[(name, value)], FREE).as_str() {
            "OK" => {
                let found = config.get(&[name.as_bytes()]);
                Ok(String::from_utf8(found[0].1.clone()).unwrap())
            }
            error => Err(error.split_once(" - ").unwrap().1.to_owned()),
        };
        assert_eq!(got.as_deref().map_err(|e| &**e), expected, "{name} {value}");
    }

    fn text(config: &Config, name: &str) -> String {
        String::from_utf8(config.get(&[name.as_bytes()])[0].1.clone()).unwrap()
    }

    #[test]
    fn fields_and_names_agree() {
        for field in Field::ALL {
            let directive = field.directive();
            assert_eq!(format!("{field:?}"), directive.name().replace('-', "_"));
            assert!(!directive.summary().is_empty() && directive.summary().ends_with('.'));
            assert!(!(directive.syntax)(&directive.row).is_empty());
        }
        let mut names: Vec<_> = DIRECTIVES.iter().flat_map(Directive::names).collect();
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count, "a name stands twice");
    }

    #[test]
    fn numbers_have_bounds() {
        let int = "argument couldn't be parsed into an integer";
        check("timeout", "5", Ok("5"));
        for bad in ["2147483648", "-1"] {
            check("timeout", bad, Err("argument must be between 0 and 2147483647 inclusive"));
        }
        for bad in ["1.5", " 1", "+1", "01", "-0", "1k", "", "9223372036854775808"] {
            check("timeout", bad, Err(int));
        }
        check("port", "70000", Err("argument must be between 0 and 65535 inclusive"));
        check("maxclients", "0", Err("argument must be between 1 and 4294967295 inclusive"));
        check("maxclients", "4294967295", Ok("4294967295"));
        check("hz", "0", Ok("1"));
        check("hz", "501", Ok("500"));
        let slow = "argument must be between -1 and 9223372036854775807 inclusive";
        check("slowlog-log-slower-than", "-2", Err(slow));
        check("slowlog-log-slower-than", "-1", Ok("-1"));
        check("list-max-listpack-size", "-6", Ok("-6"));
        let bounds = "argument must be between -2147483648 and 2147483647 inclusive";
        check("key-load-delay", "-99999999999", Err(bounds));
    }

    #[test]
    fn memory_has_units() {
        for (value, bytes) in [
            ("100mb", "104857600"),
            ("1g", "1000000000"),
            ("1GB", "1073741824"),
            ("10k", "10000"),
            ("10kb", "10240"),
            ("10b", "10"),
            ("", "0"),
            ("18446744073709551616", "18446744073709551615"),
        ] {
            check("maxmemory", value, Ok(bytes));
        }
        for bad in ["10 mb", "1.5gb", "1t", "-1", "+5", " 5", "0x10"] {
            check("maxmemory", bad, Err("argument must be a memory value"));
        }
        let bounds = "argument must be between 1 and 9223372036854775807 inclusive";
        check("repl-backlog-size", "0", Err(bounds));
        check("repl-backlog-size", "1", Ok("16384"));
        check("maxmemory-clients", "5%", Ok("5%"));
        check("maxmemory-clients", "0%", Ok("0"));
        check("maxmemory-clients", "10mb", Ok("10485760"));
        let percent = "percentage argument must be less or equal to 100";
        check("maxmemory-clients", "101%", Err(percent));
        for bad in ["-5%", "5 %", "%", "5%%"] {
            check("maxmemory-clients", bad, Err("argument must be a memory or percent value"));
        }
        let bounds = "argument must be between -1 and 9223372036854775807 inclusive";
        check("slot-migration-max-failover-repl-bytes", "-1", Ok("-1"));
        check("slot-migration-max-failover-repl-bytes", "-2", Err(bounds));
    }

    #[test]
    fn words_are_matched_in_any_case() {
        check("appendonly", "YES", Ok("yes"));
        check("appendonly", "maybe", Err("argument must be 'yes' or 'no'"));
        check("loglevel", "DEBUG", Ok("debug"));
        check("repl-diskless-load", "flush-before-load", Ok("flush-before-load"));
        check(
            "loglevel",
            "debug verbose",
            Err("argument(s) must be one of the following: debug, verbose, notice, warning, \
                 nothing"),
        );
    }

    #[test]
    fn texts_are_checked() {
        check("dbfilename", "a/b", Err("dbfilename can't be a path, just a filename"));
        let title = "template format is invalid or contains unknown variables";
        for bad in ["{foo}", "{title", ""] {
            check("proc-title-template", bad, Err(title));
        }
        check(
            "cluster-announce-hostname",
            &"a".repeat(256),
            Err("Hostnames must be less than 256 characters"),
        );
        check("cluster-announce-human-nodename", "a b", Ok("a b"));
        check("requirepass", "foo bar", Ok("foo bar"));
        check("bind", "127.0.0.1 -::1", Ok("127.0.0.1 -::1"));
        check("bind", "", Ok(""));
        check("bind", &"1 ".repeat(17), Err("Too many bind addresses specified."));
        check(
            "client-output-buffer-limit",
            "",
            Ok("normal 0 0 0 slave 268435456 67108864 60 pubsub 33554432 8388608 60"),
        );
    }

    #[test]
    fn names_are_checked_before_values() {
        let mut config = Config::default();
        let none = Permission::default();
        let failed = |name: &str, why: &str| {
            format!("ERR CONFIG SET failed (possibly related to argument '{name}') - {why}")
        };
        let unknown = "ERR Unknown option or number of arguments for CONFIG SET - 'unknown'";
        for (pairs, reply) in [
            (&[("unknown", "1"), ("timeout", "x")][..], unknown.to_owned()),
            (&[("maxmemory", "1"), ("unknown", "x")], unknown.to_owned()),
            (&[("MAXMEMORY", "1"), ("maxmemory", "2")], failed("maxmemory", "duplicate parameter")),
            (
                &[("timeout", "x"), ("daemonize", "yes")],
                failed("daemonize", "can't set immutable config"),
            ),
            (&[("dir", "/")], failed("dir", "can't set protected config")),
            (&[("rename-command", "a b")], unknown.replace("unknown", "rename-command")),
        ] {
            assert_eq!(set(&mut config, pairs, none), reply);
        }
        let loading = Permission { loading: true, protected: true };
        assert!(set(&mut config, &[("dir", "/")], loading).starts_with("LOADING"));
        assert_eq!(set(&mut config, &[("loglevel", "debug")], loading), "OK");
        assert_eq!(
            set(&mut config, &[("replica-priority", "9"), ("slave-priority", "8")], none),
            "OK"
        );
        assert_eq!(text(&config, "replica-priority"), "8");
    }

    #[test]
    fn one_refusal_takes_all_back() {
        let mut config = Config::default();
        let before = config.clone();
        let pairs = [("maxmemory", "10"), ("maxmemory-clients", "200%"), ("hz", "x")];
        assert_eq!(
            set(&mut config, &pairs, FREE),
            "ERR CONFIG SET failed (possibly related to argument 'maxmemory-clients') - percentage \
             argument must be less or equal to 100"
        );
        assert_eq!(config, before);
    }

    #[test]
    fn failing_to_apply_takes_all_back() {
        let mut config = Config::default();
        let before = config.clone();
        let pairs: [(&[u8], &[u8]); 3] =
            [(b"timeout", b"0"), (b"PORT", b"1"), (b"maxmemory", b"5")];
        let changes = config.set(&pairs, FREE).unwrap();
        assert_eq!(changes.fields(), [Field::port, Field::maxmemory]);
        assert!(changes.touch(Field::port) && !changes.touch(Field::timeout));
        let error = changes.undo(&mut config, Field::port, "Unable to listen on this port");
        assert_eq!(
            error.to_string(),
            "ERR CONFIG SET failed (possibly related to argument 'PORT') - Unable to listen on \
             this port"
        );
        assert_eq!(config, before);
    }

    #[test]
    fn get_matches_patterns_once() {
        let config = Config::default();
        let names = |patterns: &[&str]| -> Vec<String> {
            let patterns: Vec<_> = patterns.iter().map(|p| p.as_bytes()).collect();
            let found = config.get(&patterns).into_iter();
            found.map(|(name, _)| String::from_utf8(name).unwrap()).collect()
        };
        assert_eq!(names(&["MAXMEMORY", "no*such", "time[o]ut", "nope"]), ["MAXMEMORY", "timeout"]);
        assert_eq!(names(&["*of", "replicaof"]), ["replicaof", "slaveof"]);
        assert_eq!(names(&["key-load-delay"]), ["key-load-delay"]);
        assert!(!names(&["*"]).contains(&"key-load-delay".to_owned()));
        assert!(names(&["*"]).contains(&"slave-priority".to_owned()));
        assert_eq!(names(&["M[a]XCLIENTS"]), ["maxclients"]);
    }

    #[test]
    fn every_value_can_be_set_to_itself() {
        for field in Field::ALL {
            let directive = field.directive();
            let mut config = Config::default();
            if directive.row.when == When::Start || directive.name() == "dir" {
                continue;
            }
            let value = (directive.text)(&config);
            let result = config.assign(*field, &[&value], Source::Command);
            assert_eq!(result, Ok(()), "{}", directive.name());
            assert_eq!(config, Config::default(), "{}", directive.name());
        }
    }

    #[test]
    fn settings_without_effect_are_named() {
        let mut config = Config::default();
        assert_eq!(config.without_effect(), None);
        for (field, value) in
            [(Field::activerehashing, "no"), (Field::timeout, "5"), (Field::activedefrag, "no")]
        {
            config.assign(field, &[value.as_bytes()], Source::File).unwrap();
        }
        assert_eq!(
            config.without_effect().unwrap(),
            "Settings without effect: activerehashing (tables never rehash)"
        );
        assert!(config.is_given(Field::timeout) && !config.is_given(Field::port));
    }
}
