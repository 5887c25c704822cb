//! Scripts in conversation: what they get, what they give, and what must not hurt the server.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use crate::engine::Effect;
use crate::engine::client::ClientKey;
use crate::engine::dispatch::Next;
use crate::engine::tests::Stage;

fn stage() -> (Stage, ClientKey) {
    let mut stage = Stage::new(&[("busy-reply-threshold", "50")]);
    let key = stage.connect();
    (stage, key)
}

fn eval(stage: &mut Stage, key: ClientKey, script: &str) -> String {
    stage.send_words(key, &["eval", script, "0"]).1
}

/// Every script gets its reply. Where it begins is enough for errors, and for what ends in `..`.
#[track_caller]
fn check(cases: &[(&str, &str)]) {
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
fn what_is_shared_stays_as_it_is() {
    for attack in [
        "_G.x = 1",
        "rawset(_G, 'x', 1)",
        "setmetatable(_G, {})",
        "getmetatable(_G).__index = nil",
        "rawset(getmetatable(_G), '__index', nil)",
        "string.rep = 1",
        "rawset(string, 'rep', 1)",
        "table.insert(string, 1)",
        "table.sort(string)",
        "getmetatable('').__index = 1",
        "getmetatable('').__index.rep = 1",
        "redis.call = 1",
        "redis = nil",
        "KEYS = {}",
        "cjson.encode = 1",
        "setmetatable(redis, {__index = {}})",
        "for _, lib in pairs({string, table, math, redis, cjson, bit, struct, cmsgpack, os, \
         coroutine}) do lib.call = 1 end",
        "local next, real = pairs(_G) real.x = 1",
        "loadstring('x = 1')()",
    ] {
        let (mut stage, key) = stage();
        let reply = eval(&mut stage, key, attack);
        assert!(reply.contains("Attempt to modify a readonly table"), "{attack} says {reply}");
        assert_eq!(
            eval(&mut stage, key, "return ('x'):rep(2) .. redis.call('echo', 'y')"),
            "$3 xxy"
        );
    }
    check(&[
        ("return tostring(print)", "-ERR user_script:1: Script attempted to access nonexistent gl"),
        ("return tostring(io)", "-ERR user_script:1: Script attempted to access nonexistent globa"),
        ("return tostring(require)", "-ERR user_script:1: Script attempted to access nonexistent"),
        ("return tostring(debug)", "-ERR user_script:1: Script attempted to access nonexistent gl"),
        (
            "return tostring(dofile)",
            "-ERR user_script:1: Script attempted to access nonexistent gl",
        ),
        ("return tostring(loadfile)", "-ERR user_script:1: Script attempted to access nonexistent"),
        ("return tostring(newproxy)", "-ERR user_script:1: Script attempted to access nonexistent"),
        ("return tostring(getfenv)", "-ERR user_script:1: Script attempted to access nonexistent"),
        ("return tostring(os.time)", "$3 nil"),
        ("return tostring(loadstring(string.dump(function() return 1 end)))", "$3 nil"),
        ("return {loadstring('\\27Lua')}", "*0"),
        ("return {load(function() return '\\27Lua' end)}", "*0"),
        ("return {pcall(loadstring(string.dump(loadstring('return 7'))) or error)}", "*1 $-1"),
        ("return {rawget(_G, 'newproxy') == nil, rawget(_G, 'debug') == nil}", "*2 :1 :1"),
        ("return {getmetatable('').__index == string, rawequal(_G, _G._G)}", "*2 :1 :1"),
        ("setmetatable(getmetatable(''), {})", "-ERR user_script:1: Attempt to modify a readonly"),
        ("return {pcall(setmetatable, 'x', {})}", "*2 $-1 $61 bad argument #1 to 'setmetatable'.."),
        ("local n = 0 for k in pairs(string) do n = n + 1 end return n", ":15"),
    ]);
}

#[test]
fn what_crashes_others_is_survived() {
    check(&[
        // Patterns whose matching would call itself 200,000 times.
        ("return #(('a?'):rep(200000))", ":400000"),
        ("return ('a'):rep(200000):find(('a?'):rep(200000))", "-ERR user_script:1: pattern too "),
        ("return ('a'):rep(200000):gsub(('.-'):rep(60000), '')", "-ERR user_script:1: pattern too"),
        ("return #('a'):rep(40000):match(('a?'):rep(40000))", ":40000"),
        ("return ('a'):rep(200000):match(('a?'):rep(200000))", "-ERR user_script:1: pattern too "),
        ("for _ in ('a'):gmatch(('a?'):rep(200000)) do end", "-ERR user_script:1: pattern too com"),
        ("return ('a'):rep(9):find(('a*'):rep(33000))", ":1"),
        ("return ('a'):find(('%f[a]'):rep(19000))", ":1"),
        ("return ('a'):find(('('):rep(33))", "-ERR user_script:1: too many captures"),
        ("return ('a'):find('[%')", "-ERR user_script:1: malformed pattern (missing ']')"),
        ("return #string.format('%99.99f', 1e308)", ":409"),
        ("return string.format('%100d', 1)", "-ERR user_script:1: invalid format (width or pre"),
        ("return string.sub('abc', -2^63, 2^63)", "$3 abc"),
        ("return #('x'):rep(200000):match('(.-)$')", ":200000"),
        ("return #(('('):rep(50000)):gsub('%(', '')", ":0"),
        // Memory.
        ("return ('x'):rep(1e10)", "-ERR user_script:1: resulting string too large"),
        ("return ('x'):rep(2^63)", "-ERR user_script:1: resulting string too large"),
        ("return ('x'):rep(0/0)", "-ERR user_script:1: resulting string too large"),
        ("return #(''):rep(1e18)", ":0"),
        ("local s = ('x'):rep(2^20) local t = {} for i = 1, 2^20 do t[i] = s .. i end", "-ERR not"),
        ("return 1", ":1"),
        // Recursion.
        ("local function f() return f() + 1 end return f()", "-ERR user_script:1: stack overflow"),
        ("local function f() return (pcall(f)) end return f()", ":1"),
        ("local function f() return pcall(f) end return (f())", ":1"),
        ("local function f() return coroutine.wrap(f)() end return f()", "-ERR C stack overflow"),
        ("local function f() return coroutine.resume(coroutine.create(f)) end return (f())", ":1"),
        ("local t = {} t[1] = t return t", "*1 *1 *1 *1.."),
        ("local t = {} t.map = t return t", "*2 $3 map *2 $3 map.."),
        (
            "local m = {} setmetatable(m, {__index = m}) return m.x",
            "-ERR user_script:1: loop in ge",
        ),
        ("return loadstring(('('):rep(1e5) .. '1')", "$-1"),
        ("return loadstring('return ' .. ('{'):rep(1e5))", "$-1"),
        ("return #loadstring('return \"' .. ('x'):rep(1e6) .. '\"')()", ":1000000"),
        ("local s = ('x'):rep(100) for i = 1, 1e5 do loadstring('', s .. i) end return 1", ":1"),
        // Too many values.
        ("return #{unpack({}, 1, 7000)}", ":0"),
        ("return {unpack({}, 1, 1e7)}", "-ERR user_script:1: too many results to unpack"),
        ("return {unpack({}, -2147483648, 2147483647)}", "-ERR user_script:1: too many results"),
        ("return {unpack({}, 0/0, 1)}", "-ERR user_script:1: too many results to unpack"),
        ("return {string.byte(('x'):rep(1e6), 1, -1)}", "-ERR user_script:1: stack overflow ("),
        ("return redis.call('del', unpack(KEYS, 1, 7900))", "-ERR Lua redis lib command arguments"),
        (
            "local t = {} for i = 1, 7900 do t[i] = 'k' .. i end return redis.call('del', unpack(t))",
            ":0",
        ),
        ("local t = {} for i = 1, 7900 do t[i] = '1' end return bit.bxor(unpack(t))", ":0"),
        (
            "local t = {} for i = 1, 7900 do t[i] = 'x' end return #cmsgpack.pack(unpack(t))",
            ":15800",
        ),
        // Errors that are no strings.
        ("error({err = {}})", "-ERR unknown error script: "),
        (
            "error(setmetatable({}, {__index = function() error('x') end}))",
            "-ERR unknown error scr",
        ),
        (
            "error(setmetatable({err = 'E x'}, {__index = function() error('x') end}))",
            "-E x script: ",
        ),
        ("return setmetatable({}, {__index = function() error('x') end})", "*0"),
        ("error(redis)", "-ERR unknown error script: "),
        ("error(function() end)", "-ERR function script: "),
        ("return {pcall(error, setmetatable({}, {__tostring = error}))}", "*2 $-1 *0"),
        ("return assert(false, {err = 'MY x'})", "-MY x script: "),
        (
            "local t = {} for i = 1, 8 do t[i] = i end table.sort(t, function() return true end)",
            "-ERR user_script:1: invalid order function for sorting",
        ),
        ("return table.insert({}, 1, 2, 3)", "-ERR user_script:1: wrong number of arguments to"),
        ("table.foreach(redis, error)", "-ERR"),
        ("return table.foreachi({7, 8}, function(i, v) if i == 2 then return v end end)", ":8"),
        (
            "error(setmetatable({}, {__index = error, __tostring = error}))",
            "-ERR unknown error scri",
        ),
        ("return redis.error_reply({})", "-ERR wrong number or type of arguments"),
        ("xpcall(error, error)", "$-1"),
        (
            "return {xpcall(function() error({}) end, function(e) return type(e) end)}",
            "*2 $-1 $5 table",
        ),
    ]);
}

#[test]
fn libraries_are_total() {
    check(&[
        ("return cjson.encode({a={1,2,{b='x/y'}}})", r#"$24 {"a":[1,2,{"b":"x\/y"}]}"#),
        ("return cjson.encode({})", "$2 {}"),
        (
            "return cjson.encode({[1]=1,[100]=2})",
            "-ERR user_script:1: Cannot serialise table: exce",
        ),
        ("return cjson.encode({[9007199254740991]=1})", "-ERR user_script:1: Cannot serialise tab"),
        (
            "local t = {} t.t = t return cjson.encode(t)",
            "-ERR user_script:1: Cannot serialise, exc",
        ),
        (
            "cjson.encode_max_depth(2^30) local t = {} t.t = t return cjson.encode(t)",
            "-ERR user_script:1: Cannot serialise, excessive nesting (1501)",
        ),
        (
            "cjson.decode_max_depth(2^30) return cjson.decode(('['):rep(1e6))",
            "-ERR user_script:1: Found too many nested data structures (1501)",
        ),
        ("return cjson.decode('[1,{\"a\":null}]')[2].a == cjson.null and 1", ":1"),
        ("return cjson.decode('\"\\\\ud83d\\\\ude00\"')", "$4 😀"),
        ("return tostring(cjson.decode('1e999'))", "$3 inf"),
        (
            "return cjson.decode('\"')",
            "-ERR user_script:1: Expected value but found unexpected end",
        ),
        ("return cjson.decode('-')", "-ERR user_script:1: Expected value but found invalid number"),
        (
            "cjson.decode_array_with_array_mt(true) return cjson.encode(cjson.decode('{\"a\":[]}'))",
            r#"$8 {"a":[]}"#,
        ),
        ("local t = {} t.t = t return #cmsgpack.pack(t)", ":49"),
        ("local t = {} for i = 1, 100000 do t = {t} end return #cmsgpack.pack(t)", ":17"),
        (
            "local t = {} for i = 1, 200000 do t = {t} end return cjson.encode(t)",
            "-ERR user_script:",
        ),
        (
            "return cjson.decode(('{\"a\":'):rep(1001) .. 1)",
            "-ERR user_script:1: Found too many ne",
        ),
        ("return #cjson.decode('\"' .. ('x'):rep(1e7) .. '\"')", ":10000000"),
        ("return cmsgpack.pack(0/0):byte(1)", ":203"),
        ("return cmsgpack.unpack('\\207' .. ('\\255'):rep(8))", ":-1"),
        (
            "return cmsgpack.unpack(('\\129\\1'):rep(1e5))",
            "-ERR user_script:1: Bad data format in i",
        ),
        (
            "return cmsgpack.unpack('\\221\\255\\255\\255\\255')",
            "-ERR user_script:1: Missing bytes",
        ),
        ("return {cmsgpack.unpack_limit('\\1\\2', 2^40)}", "*3 :-1 :1 :2"),
        (
            "return cmsgpack.unpack_one('\\1\\2', 2^40)",
            "-ERR user_script:1: Start offset 1099511627",
        ),
        ("return struct.pack('!6i', 1)", "-ERR user_script:1: alignment 6 is not a power of 2"),
        ("return struct.pack('!99999999999i', 1)", "-ERR user_script:1: integral size overflow"),
        (
            "return struct.unpack('i', 'abcd', 0/0)",
            "-ERR user_script:1: bad argument #3 to 'unpack'",
        ),
        (
            "return struct.unpack('Ic0', '\\255\\255\\255\\127abc')",
            "-ERR user_script:1: bad argume",
        ),
        ("return #{struct.unpack(('b'):rep(7000), ('x'):rep(7000))}", ":7001"),
        (
            "return struct.unpack(('b'):rep(9000), ('x'):rep(9000))",
            "-ERR user_script:1: too many re",
        ),
        ("return bit.rol(1, 2^31)", ":1"),
        ("return bit.tobit(1e308)", ":.."),
        ("return cmsgpack.unpack(cmsgpack.pack({1, 'a', -200, 1.5}))", "*4 :1 $1 a :-200 :1"),
        ("return cmsgpack.unpack(('\\145'):rep(1e5))", "-ERR user_script:1: Bad data format in in"),
        (
            "return cmsgpack.unpack('\\223\\255\\255\\255\\255')",
            "-ERR user_script:1: Missing bytes",
        ),
        ("return cmsgpack.unpack('\\129\\192\\1')", "-ERR user_script:1: table index is nil"),
        ("return cmsgpack.unpack(('\\1'):rep(1e5))", "-ERR user_script:1: too many return values"),
        ("return {cmsgpack.unpack_limit('\\1\\2\\3', 2)}", "*3 :2 :1 :2"),
        ("return struct.size('i2147483648')", "-ERR user_script:1: integral size overflow"),
        ("return struct.pack('c999999999999', 'x')", "-ERR user_script:1: integral size overflow"),
        (
            "return struct.unpack('c0', 'x')",
            "-ERR user_script:1: format 'c0' needs a previous size",
        ),
        (
            "return struct.unpack('ic0', '\\255\\255\\255\\255')",
            "-ERR user_script:1: bad argument ",
        ),
        ("return {struct.unpack('>I2c0', struct.pack('>I2c0', 3, 'abc'))}", "*2 $3 abc :6"),
        ("return {struct.unpack('!8bd', struct.pack('!8bd', -1, 1.5))}", "*3 :-1 :1 :17"),
        ("return struct.unpack('i', 'x', 2^31)", "-ERR user_script:1: bad argument #3 to 'unpack'"),
        ("return bit.tohex(-1, -2147483648)", "$8 FFFFFFFF"),
        ("return bit.tohex(1, 2147483648)", "$8 00000001"),
        ("return bit.lshift(1, 2^40 + 31)", ":-2147483648"),
        ("return bit.band(0/0)", ":0"),
        ("return redis.sha1hex('')", "$40 da39a3ee5e6b4b0d3255bfef95601890afd80709"),
        ("return {collectgarbage('stop'), collectgarbage('setpause', 1)}", "*2 :0 :0"),
    ]);
}

#[test]
fn line_ends_can_not_forge_replies() {
    check(&[
        ("return {ok='a\\r\\n+b'}", "+a  +b"),
        ("return {err='a\\r\\n+b'}", "-a  +b"),
        ("return {err='a\\r\\n\\r\\n'}", "-a"),
        ("return {{err='\\r\\na\\n'}, {ok='b\\r\\n'}}", "*2 -  a +b"),
        ("return {verbatim_string={format='t\\r\\n', string='x'}}", "$1 x"),
        ("return redis.status_reply('a\\r\\nb')", "+a  b"),
        ("return redis.error_reply('a\\r\\nb')", "-ERR a  b"),
        ("error('a\\r\\n+b')", "-ERR user_script:1: a  +b script: "),
        ("return {big_number='1\\r\\n+b'}", "$5 1  +b"),
        ("return redis.call('a\\r\\nb')", "-ERR Unknown Redis command called from script script: "),
        ("#!lua flags=a\rb\n", "-ERR Unexpected flag in script shebang: a"),
        ("return x\\r\\n+y", "-ERR Error compiling script"),
    ]);
    let (mut stage, key) = stage();
    for words in [
        &["evalsha", "a\r\n+b", "0"][..],
        &["fcall", "a\r\n+b", "0"],
        &["function", "load", "#!lua name=a\r\n+b\nx"],
        &["function", "load", "#!lua name=a\nredis.register_function('a\\r\\n+b', print)"],
        &["function", "delete", "a\r\n+b"],
        &["function", "list", "a\r\n+b"],
        &["script", "exists\r\n+b", "x"],
    ] {
        let reply = stage.send_words(key, words).1;
        assert!(reply.starts_with("-ERR") || reply.starts_with("-NOSCRIPT"), "{words:?}: {reply}");
        assert!(!reply.contains('\r') && !reply.contains('\n'), "{words:?}: {reply}");
    }
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
