//! Scripts that kill other servers, and those that would change what they share or forge replies.

#![allow(clippy::unwrap_used, reason = "a failed test may panic")]

use super::tests::{check, eval, stage};

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
        ("setmetatable(getmetatable(''), {})", "-ERR Attempt to modify a readonly table script: "),
        ("return {pcall(setmetatable, 'x', {})}", "*2 $-1 $62 bad argument #1 to 'setmetatable'.."),
        ("local n = 0 for k in pairs(string) do n = n + 1 end return n", ":15"),
    ]);
}

/// Matching calls itself for every optional item.
#[test]
fn patterns_are_bounded() {
    check(&[
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
        ("return string.sub('abc', -2^31, 2^31)", "$3 abc"),
        ("return #('x'):rep(200000):match('(.-)$')", ":200000"),
        ("return #(('('):rep(50000)):gsub('%(', '')", ":0"),
    ]);
}

#[test]
fn memory_is_bounded() {
    check(&[
        ("return ('x'):rep(1e10)", "-ERR user_script:1: resulting string too large"),
        ("return ('x'):rep(2^63)", "-ERR user_script:1: resulting string too large"),
        ("return ('x'):rep(0/0)", "-ERR user_script:1: resulting string too large"),
        ("return #(''):rep(1e18)", ":0"),
        ("local s = ('x'):rep(2^20) local t = {} for i = 1, 2^20 do t[i] = s .. i end", "-ERR not"),
        ("return 1", ":1"),
    ]);
}

#[test]
fn recursion_is_bounded() {
    check(&[
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
    ]);
}

#[test]
fn values_at_a_time_are_bounded() {
    check(&[
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
    ]);
}

#[test]
fn errors_that_are_no_strings_are_told() {
    check(&[
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
        ("return assert(false, {err = 'x'})", "-ERR user_script:1: bad argument #2 to 'assert'"),
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
fn cjson_is_total() {
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
        (
            "local t = {} for i = 1, 200000 do t = {t} end return cjson.encode(t)",
            "-ERR user_script:",
        ),
        (
            "return cjson.decode(('{\"a\":'):rep(1601) .. 1)",
            "-ERR user_script:1: Found too many ne",
        ),
        ("return #cjson.decode('\"' .. ('x'):rep(1e7) .. '\"')", ":10000000"),
    ]);
}

#[test]
fn cmsgpack_is_total() {
    check(&[
        ("local t = {} t.t = t return #cmsgpack.pack(t)", ":49"),
        ("local t = {} for i = 1, 100000 do t = {t} end return #cmsgpack.pack(t)", ":17"),
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
        ("return cmsgpack.unpack(cmsgpack.pack({1, 'a', -200, 1.5}))", "*4 :1 $1 a :-200 :1"),
        ("return cmsgpack.unpack(('\\145'):rep(1e5))", "-ERR user_script:1: Bad data format in in"),
        (
            "return cmsgpack.unpack('\\223\\255\\255\\255\\255')",
            "-ERR user_script:1: Missing bytes",
        ),
        ("return cmsgpack.unpack('\\129\\192\\1')", "-ERR user_script:1: table index is nil"),
        ("return cmsgpack.unpack(('\\1'):rep(1e5))", "-ERR user_script:1: too many return values"),
        ("return {cmsgpack.unpack_limit('\\1\\2\\3', 2)}", "*3 :2 :1 :2"),
    ]);
}

#[test]
fn struct_and_bit_are_total() {
    check(&[
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
        ("return bit.tobit(1e308)", ":-2048145248"),
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
