//! Scripts in conversation: what they get, what they give, and what must not hurt the server.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use crate::engine::Effect;
use crate::engine::client::ClientKey;
use crate::engine::dispatch::Next;
use crate::engine::tests::Stage;

pub(super) fn stage() -> (Stage, ClientKey) {
    let mut stage = Stage::new(&[("busy-reply-threshold", "50")]);
    let key = stage.connect();
    (stage, key)
}

pub(super) fn eval(stage: &mut Stage, key: ClientKey, script: &str) -> String {
    stage.send_words(key, &["eval", script, "0"]).1
}

/// Every script gets its reply. Where it begins is enough for errors, and for what ends in `..`.
#[track_caller]
pub(super) fn check(cases: &[(&str, &str)]) {
    let (mut stage, key) = stage();
    for (script, expected) in cases {
        let reply = eval(&mut stage, key, script);
        let is_begun = expected.starts_with('-') && reply.starts_with(expected);
        let is_right = is_begun
            || match expected.strip_suffix("..") {
                Some(start) => reply.starts_with(start),
                None => reply == *expected,
            };
        assert!(is_right, "{script:?} says {reply:?}, not {expected:?}");
    }
}

#[test]
fn sorted_by_nothing_a_set_is_in_order_for_scripts() {
    check(&[(
        "redis.call('sadd', 's', 'c', 'b', 'a', 'd') return redis.call('sort', 's', 'by', '_')",
        "*4 $1 a $1 b $1 c $1 d",
    )]);
}

#[test]
fn values_become_replies() {
    check(&[
        ("return 1", ":1"),
        ("return 3.99", ":3"),
        ("return -1.9", ":-1"),
        ("return 1/0", ":-9223372036854775808"),
        ("return true", ":1"),
        ("return false", "$-1"),
        ("return nil", "$-1"),
        ("return 'x'", "$1 x"),
        ("return {1, 'a', nil, 3}", "*2 :1 $1 a"),
        ("return {a=1}", "*0"),
        ("return {ok='fine'}", "+fine"),
        ("return {err='MY x'}", "-MY x"),
        ("return {err=1}", "*0"),
        ("return {double=1.5}", "$3 1.5"),
        ("return {map={a=1}}", "*2 $1 a :1"),
        ("return {big_number='12'}", "$2 12"),
        ("return {verbatim_string={format='txt', string='x'}}", "$1 x"),
        ("return function() end", "$-1"),
        ("return {{{}}}", "*1 *1 *0"),
    ]);
}

#[test]
fn scripts_may_ask_what_their_caller_may_do() {
    let invalid = "-ERR Invalid command passed to redis.acl_check_cmd()";
    check(&[
        ("return redis.acl_check_cmd('get', 'x')", ":1"),
        ("return redis.acl_check_cmd('config')", ":1"),
        ("return redis.acl_check_cmd('config', 'get', 'x')", ":1"),
        ("return redis.acl_check_cmd('config', 'nope')", invalid),
        ("return redis.acl_check_cmd('nope')", invalid),
        (
            "return redis.acl_check_cmd()",
            "-ERR Please specify at least one argument for this redis lib call",
        ),
    ]);
}

#[test]
fn errors_keep_their_bytes() {
    let (mut stage, key) = stage();
    for (script, expected) in [
        (&b"error('a\xff')"[..], &b"-ERR user_script:1: a\xff script: "[..]),
        (b"return redis.error_reply('X \xfe')", b"-X \xfe\r\n"),
        (b"error({err='MY \xfe'})", b"-MY \xfe script: "),
        (b"redis.call('set', 'k', 'v', 'k') \xff", b"-ERR Error compiling script"),
        (b"local t = {} t['\xff']()", b"-ERR user_script:1: attempt to call field '\xff'"),
        (b"error('a\0b')", b"-ERR user_script:1: a script: "),
        (b"error({err = 'A a\0b'})", b"-A a script: "),
        (b"return redis.error_reply('A a\0b')", b"-A a\r\n"),
        (b"return {1, {err = 'A a\0b'}}", b"*2\r\n:1\r\n-A a\r\n"),
        (b"return {pcall(error, '\xff')}", b"*2\r\n$-1\r\n$1\r\n\xff\r\n"),
        (b"local ok, e = pcall(redis.call, 'x') return e", b"$44\r\nERR Unknown Redis command"),
        (b"loadstring('error(1)', '=\xff')()", b"-ERR \xff:1: 1 script: "),
        (
            b"return struct.pack('\xff', 1)",
            b"-ERR user_script:1: bad argument #1 to 'pack' (invalid format option '\xff')",
        ),
        (b"#!lua flags=\xff\nreturn 1", b"-ERR Unexpected flag in script shebang: \xff\r\n"),
    ] {
        let said = stage.send_bytes(key, &[b"eval", script, b"0"]);
        assert!(
            said.starts_with(expected),
            "{} says {}",
            script.escape_ascii(),
            said.escape_ascii()
        );
    }
}

/// KEYS and ARGV are tables that scripts get in turn.
#[test]
fn nothing_is_left_in_the_arguments_of_the_next_script() {
    const PROBE: &str = "local n = 0 for _ in pairs(KEYS) do n = n + 1 end \
        for _ in pairs(ARGV) do n = n + 1 end \
        return {#KEYS, #ARGV, n, KEYS[1] or 'none', ARGV[1] or 'none', getmetatable(KEYS) == nil, \
        getmetatable(ARGV) == nil, KEYS.x == nil}";
    let (mut stage, key) = stage();
    let litter = [
        "return 1",
        "KEYS.x = 1",
        "KEYS[0] = 'zero'",
        "KEYS[1] = nil",
        "KEYS[2] = nil ARGV[1] = nil KEYS.y = 1 KEYS.z = 1",
        "setmetatable(KEYS, {__index = function() return 'leak' end})",
        "setmetatable(ARGV, {__mode = 'k'})",
        "for i = 1, 200 do ARGV[i] = i end",
        "for i = 1, 100 do KEYS['k' .. i] = i end for i = 1, 100 do KEYS['k' .. i] = nil end",
        "table.insert(ARGV, 'more') table.remove(KEYS, 1)",
        "KEYS[#KEYS + 1] = KEYS error(KEYS)",
    ];
    let many: Vec<String> = (0..20).map(|at| format!("w{at}")).collect();
    for round in 0..3 {
        for script in litter {
            let mut words = vec!["eval", script, "2", "a", "b", "c"];
            if round == 1 {
                words.extend(many.iter().map(String::as_str));
            }
            stage.send_words(key, &words);
            let (_, said) = stage.send_words(key, &["eval", PROBE, "0"]);
            assert_eq!(said, "*8 :0 :0 :0 $4 none $4 none :1 :1 :1", "after {script}");
            stage.send_words(key, &words);
            let (_, said) = stage.send_words(key, &["eval", PROBE, "1", "k", "v"]);
            assert_eq!(said, "*8 :1 :1 :2 $1 k $1 v :1 :1 :1", "after {script}");
        }
    }
    for count in 0..200 {
        let keys = (count % 11).to_string();
        let mut words = vec!["eval", PROBE, &keys];
        words.extend(many.iter().take(11 + count % 9).map(String::as_str));
        let (_, said) = stage.send_words(key, &words);
        let argv = words.len() - 3 - count % 11;
        let start = format!("*8 :{} :{argv} :{} ", count % 11, words.len() - 3);
        assert!(said.starts_with(&start), "{said} does not begin with {start}");
    }
}

#[test]
fn commands_run_and_their_errors_are_raised() {
    check(&[
        ("return redis.call('set', 'k', 1)", "+OK"),
        ("return redis.call('incr', 'k')", ":2"),
        ("return redis.call('get', 'k')", "$1 2"),
        ("return redis.call('get', 'none')", "$-1"),
        ("return type(redis.call('get', 'none'))", "$7 boolean"),
        ("return redis.call('echo', 1.5)", "$3 1.5"),
        ("return redis.call('echo', 2^53)", "$16 9007199254740992"),
        ("return redis.call('echo', 1e-20)", "$5 1e-20"),
        ("return redis.call('set', 'k', 'v', 'x')", "-ERR syntax error script: "),
        ("return redis.pcall('set', 'k', 'v', 'x')", "-ERR syntax error"),
        ("return redis.pcall('set', 'k', 'v', 'x').err", "$16 ERR syntax error"),
        (
            "return select(2, pcall(redis.call, 'set', 'k'))",
            "$58 ERR Wrong number of args calling..",
        ),
        ("return redis.call('nosuch')", "-ERR Unknown Redis command called from script script: "),
        ("return redis.call('multi')", "-ERR This Redis command is not allowed from script script"),
        (
            "return redis.call()",
            "-ERR Please specify at least one argument for this redis lib call",
        ),
        (
            "return redis.call({})",
            "-ERR Lua redis lib command arguments must be strings or integer",
        ),
        ("return redis.call('blpop', 'none', 0)", "$-1"),
        ("redis.call('select', 5) return redis.call('dbsize')", ":0"),
        ("return redis.call('dbsize')", ":1"),
    ]);
}

#[test]
fn errors_tell_the_script_and_the_line() {
    check(&[
        (
            "error('boo')",
            "-ERR user_script:1: boo script: 4c4072b2b44689260a81bb26a459f4463cfbb09e, on \
             @user_script:1.",
        ),
        ("error({err='MY boo'})", "-MY boo script: "),
        ("error({})", "-ERR unknown error script: "),
        ("error()", "-ERR nil script: "),
        ("\n\nlocal x = nil; return x.y", "-ERR user_script:3: attempt to index local 'x'"),
        ("return 1 1", "-ERR Error compiling script (new function): user_script:1: '<eof>' expect"),
        (
            "return nosuch",
            "-ERR user_script:1: Script attempted to access nonexistent global varia",
        ),
        ("foo = 1", "-ERR user_script:1: Attempt to modify a readonly table script: "),
        ("return {pcall(error, 'x')}", "*2 $-1 $1 x"),
        ("return {pcall(error, {err='x'})}", "*2 $-1 $1 x"),
        (
            "return select(2, pcall(cjson.decode, 'x'))",
            "$53 Expected value but found invalid token..",
        ),
    ]);
}

#[test]
fn scripts_are_known_by_their_name() {
    let (mut stage, key) = stage();
    let name = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
    let missing = "-NOSCRIPT No matching script. Please use EVAL.";
    assert_eq!(stage.ask(key, &format!("evalsha {name} 0")), missing);
    assert_eq!(stage.send_words(key, &["script", "load", "return 1"]).1, format!("$40 {name}"));
    stage.check(
        key,
        &[
            (&format!("evalsha {} 0", name.to_uppercase()), ":1"),
            (&format!("evalsha_ro {name} 0"), ":1"),
            (&format!("script exists {name} x"), "*2 :1 :0"),
            (&format!("script show {name}"), "$8 return 1"),
            ("script flush async", "+OK"),
            (&format!("evalsha {name} 0"), missing),
            ("evalsha x 0", missing),
            ("script kill", "-NOTBUSY No scripts in execution right now."),
            ("script debug no", "+OK"),
            (
                &format!("evalsha {name} 1"),
                "-ERR Number of keys can't be greater than number of args",
            ),
            (&format!("evalsha {name} -1"), "-ERR Number of keys can't be negative"),
        ],
    );
    for number in 0..600 {
        eval(&mut stage, key, &format!("return {number}"));
    }
    assert!(stage.ask(key, "info memory").contains("number_of_cached_scripts:500 "));
    assert!(stage.ask(key, "info stats").contains("evicted_scripts:100 "));
    assert_eq!(eval(&mut stage, key, "return {KEYS[1], ARGV[1]}"), "*0");
    let words = ["eval", "return {KEYS[1], ARGV[1], #KEYS, #ARGV}", "1", "k", "v"];
    assert_eq!(stage.send_words(key, &words).1, "*4 $1 k $1 v :1 :1");
}

#[test]
fn declared_flags_are_heeded() {
    let (mut stage, key) = stage();
    let refused = "-ERR Write commands are not allowed from read-only scripts. script: ";
    let write = "return redis.call('set', 'k', 'v')";
    let reply = stage.send_words(key, &["eval_ro", write, "0"]).1;
    assert!(reply.starts_with(refused), "{reply}");
    let reply = eval(&mut stage, key, &format!("#!lua flags=no-writes\n{write}"));
    assert!(reply.starts_with(refused) && reply.ends_with("on @user_script:2."), "{reply}");
    let reply = stage.send_words(key, &["eval_ro", "#!lua\nreturn 1", "0"]).1;
    assert_eq!(reply, "-ERR Can not execute a script with write flag using *_ro command.");
    check(&[
        ("#!lua\nreturn 1", ":1"),
        (
            "#!lua flags=no-writes,allow-oom,allow-stale,no-cluster,allow-cross-slot-keys\nreturn 1",
            ":1",
        ),
        ("#!lua flags=foo\nreturn 1", "-ERR Unexpected flag in script shebang: foo"),
        ("#!lua name=x\nreturn 1", "-ERR Unknown lua shebang option: name=x"),
        ("#!foo\nreturn 1", "-ERR Unexpected engine in script shebang: #!foo"),
        ("#!lua", "-ERR Invalid script shebang"),
        ("#!lua flags=a\0b\nreturn 1", "-ERR Invalid script shebang"),
        ("#!lua flags=\nreturn #'a\0b'", ":3"),
        ("#!lua \"flags=\nreturn 1", "-ERR Invalid engine in script shebang"),
    ]);
    stage.check(key, &[("config set maxmemory 1000", "+OK")]);
    stage.world.0.borrow_mut().memory_used = 2000;
    let out = "-OOM command not allowed when used memory > 'maxmemory'.";
    assert!(eval(&mut stage, key, write).starts_with(out));
    assert_eq!(eval(&mut stage, key, "return redis.call('get', 'k')"), "$-1");
    assert_eq!(eval(&mut stage, key, "#!lua\nreturn 1"), out);
    assert_eq!(eval(&mut stage, key, &format!("#!lua flags=allow-oom\n{write}")), "+OK");
    assert_eq!(eval(&mut stage, key, "#!lua flags=no-writes\nreturn 1"), ":1");
    // What has begun to write may go on.
    assert_eq!(eval(&mut stage, key, &format!("redis.call('del', 'k') {write}")), "+OK");
}

#[test]
fn replies_in_resp3_keep_their_types() {
    let (mut stage, key) = stage();
    stage.ask(key, "hello 3");
    for (script, expected) in [
        ("return {double=1.5}", ",1.5"),
        ("return {map={a=1}}", "%1 $1 a :1"),
        ("return {set={a=true}}", "~1 $1 a"),
        ("return {big_number='12'}", "(12"),
        ("return {verbatim_string={format='txt', string='x'}}", "=5 txt:x"),
        ("return true", ":1"),
        ("return nil", "_"),
        ("redis.setresp(3) return true", "#t"),
        ("redis.setresp(3) return {false}", "*1 #f"),
        ("redis.setresp(3) return type(redis.call('get', 'none'))", "$3 nil"),
        ("return type(redis.call('get', 'none'))", "$7 boolean"),
        ("redis.setresp(4)", "-ERR RESP version must be 2 or 3. script: "),
    ] {
        let reply = eval(&mut stage, key, script);
        assert!(reply.starts_with(expected), "{script} says {reply}");
    }
}

#[test]
fn errors_are_counted_once() {
    let (mut stage, key) = stage();
    eval(&mut stage, key, "return redis.call('incr')");
    eval(&mut stage, key, "return redis.pcall('set', 'k', 'v', 'x')");
    eval(&mut stage, key, "error({err='MY x'})");
    eval(&mut stage, key, "return redis.sha1hex()");
    let stats = stage.ask(key, "info commandstats errorstats");
    assert!(stats.contains("errorstat_ERR:count=3 ") && stats.contains("errorstat_MY:count=1"));
    assert!(stats.contains("cmdstat_incr:calls=0,usec=0,usec_per_call=0.00,rejected_calls=1"));
    assert!(stats.contains("cmdstat_set:calls=1,") && stats.contains("cmdstat_eval:calls=4,"));
    assert!(stats.contains("failed_calls=4"), "{stats}");
}

#[test]
fn monitors_see_scripts_before_their_commands() {
    let (mut stage, key) = stage();
    let watcher = stage.connect();
    stage.ask(watcher, "monitor");
    eval(&mut stage, key, "redis.call('select', 3) return redis.call('get', 'k')");
    let seen = stage.read(watcher);
    let heads: Vec<&str> =
        seen.split('[').skip(1).map(|line| line.split('"').next().unwrap()).collect();
    assert_eq!(heads, ["0 1.2.3.4:5] ", "3 lua] ", "3 lua] "]);
    assert!(seen.contains("[3 lua] \"get\" \"k\""));
}

const LIBRARY: &str = "#!lua name=lib\nredis.register_function('add', function(keys, args) return \
                       redis.call('incrby', keys[1], args[1]) end)\nredis.register_function{\
                       function_name='look', callback=function(keys) return redis.call('get', \
                       keys[1]) end, flags={'no-writes'}, description='Looks.'}";

#[test]
fn functions_are_called_by_name() {
    let (mut stage, key) = stage();
    let load = ["function", "load", LIBRARY];
    assert_eq!(stage.send_words(key, &load).1, "$3 lib");
    assert_eq!(stage.send_words(key, &load).1, "-ERR Library 'lib' already exists");
    assert_eq!(stage.send_words(key, &["function", "load", "REPLACE", LIBRARY]).1, "$3 lib");
    stage.check(
        key,
        &[
            ("fcall add 1 k 5", ":5"),
            ("fcall ADD 1 k 1", ":6"),
            ("fcall_ro look 1 k", "$1 6"),
            (
                "fcall_ro add 1 k 1",
                "-ERR Can not execute a script with write flag using *_ro command.",
            ),
            ("fcall nosuch 0", "-ERR Function not found"),
            ("fcall add x", "-ERR Bad number of keys provided"),
            (
                "function list libraryname L*",
                "*1 *6 $12 library_name $3 lib $6 engine $3 LUA $9 functions *2 *6 $4 name $3 add \
                 $11 description $-1 $5 flags *0 *6 $4 name $4 look $11 description $6 Looks. $5 \
                 flags *1 +no-writes",
            ),
            ("function list libraryname x", "*0"),
            (
                "function stats",
                "*4 $14 running_script $-1 $7 engines *2 $3 LUA *4 $15 libraries_count :1 $15 \
                 functions_count :2",
            ),
            ("function delete lib", "+OK"),
            ("function delete lib", "-ERR Library not found"),
            ("fcall add 0", "-ERR Function not found"),
        ],
    );
}

#[test]
fn libraries_that_fail_leave_no_trace() {
    let (mut stage, key) = stage();
    let head = "#!lua name=l\n";
    for (code, expected) in [
        ("return 1", "-ERR No functions registered"),
        ("x y", "-ERR Error compiling function: user_function:2: '=' expected near 'y'"),
        (
            "error('x')",
            "-ERR Error registering functions: ERR user_function:2: Script attempted to",
        ),
        ("redis.call('ping')", "-ERR Error registering functions: ERR user_function:2: Script att"),
        ("foo = 1", "-ERR Error registering functions: ERR user_function:2: Attempt to modify a r"),
        ("redis.register_function('a', 1)", "-ERR Error registering functions: ERR second argumen"),
        ("redis.register_function('a b', function() end)", "-ERR Error registering functions: ERR"),
        (
            "redis.register_function('f', function() end) redis.register_function('F', function() \
             end)",
            "-ERR Error registering functions: ERR Function already exists in the library",
        ),
        (
            "redis.register_function('f', function() end) foo = 1",
            "-ERR Error registering functions",
        ),
        ("while true do end", "-ERR Error registering functions: ERR FUNCTION LOAD timeout"),
    ] {
        stage.world.0.borrow_mut().pace = 1_000_000;
        let reply = stage.send_words(key, &["function", "load", &format!("{head}{code}")]).1;
        assert!(reply.starts_with(expected), "{code} says {reply}");
        stage.check(key, &[("function list", "*0"), ("fcall f 0", "-ERR Function not found")]);
    }
    for (text, expected) in [
        ("return 1", "-ERR Missing library metadata"),
        ("#!lua\nx", "-ERR Library name was not given"),
        (
            "#!lua name=a-b\nx",
            "-ERR Library names can only contain letters, numbers, or underscores",
        ),
        ("#!lua name=a name=b\nx", "-ERR Invalid metadata value, name argument was given multiple"),
        ("#!lua foo=b\nx", "-ERR Invalid metadata value given: foo=b"),
        ("#!foo name=b\nx", "-ERR Engine 'foo' not found"),
        ("#!lua name=a\0b\nx", "-ERR Invalid library metadata"),
    ] {
        let reply = stage.send_words(key, &["function", "load", text]).1;
        assert!(reply.starts_with(expected), "{text} says {reply}");
    }
}

/// A busy script's caller waits, as does whoever comes behind it.
#[test]
fn busy_scripts_can_be_killed() {
    let (mut stage, key) = stage();
    let other = stage.connect();
    stage.world.0.borrow_mut().pace = 100_000;
    let script = "while true do pcall(function() while true do end end) end";
    assert_eq!(stage.send_words(key, &["eval", script, "0"]), (Next::Hold, String::new()));
    let busy = "-BUSY Redis is busy running a script. You can only call SCRIPT KILL or SHUTDOWN \
                NOSAVE.";
    stage.check(
        other,
        &[
            ("get k", busy),
            ("function stats", busy),
            ("function kill", busy),
            ("shutdown", busy),
            ("multi", "+OK"),
            ("get k", busy),
            ("exec", &format!("-EXECABORT Transaction discarded because of: {}", &busy[1..])),
        ],
    );
    assert!(stage.engine.continue_script());
    stage.check(other, &[("script kill", "+OK")]);
    stage.engine.take_effects();
    assert!(!stage.engine.continue_script());
    assert!(stage.engine.take_effects().contains(&Effect::Resume(key)));
    let reply = stage.read(key);
    let killed = "-ERR Script killed by user with SCRIPT KILL... script: ";
    assert!(reply.starts_with(killed), "{reply}");
    stage.check(other, &[("get k", "$-1")]);
    assert_eq!(eval(&mut stage, key, "return 1"), ":1");
}

#[test]
fn scripts_that_have_written_run_to_their_end() {
    let (mut stage, key) = stage();
    let other = stage.connect();
    stage.world.0.borrow_mut().pace = 100_000;
    let script = "local t = redis.call('time')[1] redis.call('set', 'k', 'v', 'px', 10) \
                  for i = 1, 1e7 do end return {t == redis.call('time')[1], redis.call('get', 'k')}";
    assert_eq!(stage.send_words(key, &["eval", script, "0"]), (Next::Hold, String::new()));
    assert!(stage.ask(other, "script kill").starts_with("-UNKILLABLE Sorry the script already"));
    stage.pass_ms(5000);
    assert_eq!(stage.engine.expire(), None);
    while stage.engine.continue_script() {}
    assert_eq!(stage.read(key), "*2 :1 $1 v");
    stage.check(key, &[("get k", "$-1")]);
}

#[test]
fn a_transaction_goes_on_behind_its_busy_script() {
    let (mut stage, key) = stage();
    let watcher = stage.connect();
    stage.world.0.borrow_mut().pace = 100_000;
    stage.ask(key, "monitor");
    stage.ask(key, "multi");
    stage.ask(key, "set k 1");
    stage.send_words(key, &["eval", "for i = 1, 1e7 do end return redis.call('incr', 'k')", "0"]);
    stage.send_words(key, &["eval", "for i = 1, 1e7 do end return 7", "0"]);
    stage.ask(key, "incr k");
    stage.read(key);
    let (next, said) = stage.send(key, "exec");
    assert_eq!(next, Next::Hold);
    assert!(!said.contains('*') && !said.contains("+OK"), "{said}");
    assert!(stage.ask(watcher, "get k").starts_with("-BUSY"));
    while stage.engine.continue_script() {}
    let said = stage.read(key);
    assert!(said.contains("*4 +OK :2 :7 :3"), "{said}");
    stage.check(watcher, &[("get k", "$1 3")]);
}

#[test]
fn a_busy_script_survives_its_caller() {
    let (mut stage, key) = stage();
    let other = stage.connect();
    stage.world.0.borrow_mut().pace = 100_000;
    let script = "for i = 1, 1e7 do end redis.call('set', 'k', 'v')";
    assert_eq!(stage.send_words(key, &["eval", script, "0"]).0, Next::Hold);
    stage.engine.disconnect(key);
    assert!(stage.ask(other, "get k").starts_with("-BUSY"));
    while stage.engine.continue_script() {}
    stage.check(other, &[("get k", "$1 v")]);
    assert!(stage.engine.clients.get(key).is_none());
}

#[test]
fn an_engine_may_end_amid_a_script() {
    let (mut stage, key) = stage();
    stage.world.0.borrow_mut().pace = 100_000;
    assert_eq!(stage.send_words(key, &["eval", "while true do end", "0"]).0, Next::Hold);
    drop(stage);
    let (mut stage, key) = self::stage();
    assert_eq!(eval(&mut stage, key, "return 1"), ":1");
}

#[test]
fn waiters_are_served_when_the_script_is_done() {
    let (mut stage, key) = stage();
    let waiter = stage.connect();
    assert_eq!(stage.send(waiter, "blpop l 0").0, Next::Hold);
    let script = "redis.call('rpush', 'l', 'a') return redis.call('llen', 'l')";
    assert_eq!(eval(&mut stage, key, script), ":1");
    assert_eq!(stage.read(waiter), "*2 $1 l $1 a");
}
