-- What scripts see of Lua: the language without the machine around it.
--
-- Shared tables (`_G`, `string`, `redis` and the like) are empty proxies in front of the real ones:
-- reading falls through, writing is refused. Nothing that a script can reach ever hands out the
-- table behind a proxy. Errors that Rust functions raise are not Lua values; `pcall`, `xpcall` and
-- `coroutine.resume` turn them into the strings and tables that scripts expect, and let one pass
-- that nobody may catch: the end that SCRIPT KILL puts to a script.

local native, is_library_host = ...

local type, error, select, tostring, tonumber = type, error, select, tostring, tonumber
local rawset, rawget, next, pairs, setmetatable = rawset, rawget, next, pairs, setmetatable
local getmetatable, unpack, xpcall = getmetatable, unpack, native.guard
local collectgarbage = collectgarbage
local plain, compile, forward = native.plain, native.compile, native.forward

local READONLY = 'Attempt to modify a readonly table'
local STACK_SLOTS = 8000
local COROUTINE_DEPTH = 100

-- Functions that scripts may be handed as they are; forgotten when everything is set up.
local given = {}

-- Proxy to the table behind it, and to what getmetatable says of it.
local behind, metatables = {}, {}

local function refuse()
  error(READONLY, 2)
end

local function protect(real, metatable)
  local proxy = setmetatable({}, { __index = real, __newindex = refuse })
  behind[proxy] = real
  metatables[proxy] = metatable
  return proxy
end

local kind = type

local function check_table(value, name)
  if type(value) ~= 'table' then
    error("bad argument #1 to '" .. name .. "' (table expected, got " .. kind(value) .. ')', 4)
  end
end

local function copied(source, names)
  local copy = {}
  for name in names:gmatch('%S+') do
    copy[name] = source[name]
    given[source[name]] = true
  end
  return copy
end

-- The prelude's own functions go out behind functions of C.
local function forwarded(lib)
  for name, value in next, lib do
    if type(value) == 'function' and not given[value] then
      value = forward(value)
      given[value] = true
      lib[name] = value
    end
  end
  return lib
end

-- Tables ------------------------------------------------------------------------------------

local base = copied(_G, [[
  assert error gcinfo ipairs rawequal select tonumber tostring type _VERSION
]])

local function proxy_next(proxy, key)
  return next(behind[proxy], key)
end

function base.pairs(t)
  if behind[t] then
    return proxy_next, t, nil
  end
  check_table(t, 'pairs')
  return next, t, nil
end

function base.next(t, key)
  local real = behind[t]
  if real then
    return next(real, key)
  end
  check_table(t, 'next')
  return next(t, key)
end

function base.rawget(t, key)
  return rawget(behind[t] or t, key)
end

function base.rawset(t, key, value)
  if behind[t] then
    error(READONLY, 0)
  end
  return rawset(t, key, value)
end

function base.getmetatable(t)
  if behind[t] then
    return metatables[t]
  end
  return getmetatable(t)
end

function base.setmetatable(t, metatable)
  if behind[t] then
    error(READONLY, 0)
  end
  check_table(t, 'setmetatable')
  if metatable ~= nil and type(metatable) ~= 'table' then
    error("bad argument #2 to 'setmetatable' (nil or table expected)", 3)
  end
  return setmetatable(t, metatable)
end

base.unpack = native.unpack
given[base.unpack] = true

local lib_table = copied(table, 'concat foreach foreachi getn insert maxn remove setn sort')

-- Lua's own functions behind a check, which are functions of C as well.
local function checked(lib, names, check, source)
  for name in names:gmatch('%S+') do
    lib[name] = check(source[name], behind)
    given[lib[name]] = true
  end
end

checked(lib_table, 'insert remove setn sort', native.changer, table)
checked(lib_table, 'foreach foreachi', native.walker, table)

-- Strings -----------------------------------------------------------------------------------

local lib_string = copied(string, [[
  byte char dump find format gfind gmatch gsub len lower match rep reverse sub upper
]])

local function check_text(value, at, name)
  local found = type(value)
  if found ~= 'string' and found ~= 'number' then
    found = kind(value)
    error('bad argument #' .. at .. " to '" .. name .. "' (string expected, got " .. found .. ')', 4)
  end
end

checked(lib_string, 'find gfind gmatch gsub match', native.matcher, string)

local rep = string.rep

function lib_string.rep(text, count)
  check_text(text, 1, 'rep')
  local times = tonumber(count)
  if not times then
    error("bad argument #2 to 'rep' (number expected, got " .. kind(count) .. ')', 3)
  end
  local length = #tostring(text)
  if length == 0 or times < 1 then
    return ''
  end
  if not (length * times <= native.string_bytes_max) then
    error('resulting string too large', 3)
  end
  return rep(text, times)
end

-- Libraries -----------------------------------------------------------------------------------

-- Functions of Rust take few arguments and give few results: what may be thousands goes by table.

local function one_argument(value, count, name)
  if count ~= 1 then
    error("bad argument #1 to '" .. name .. "' (expected 1 argument)", 4)
  end
  return value
end

local function json(raw)
  local made, encode, decode, new = {}, raw.encode, raw.decode, raw.new
  for name, value in next, raw do
    made[name] = value
  end
  made.encode = forward(function(...)
    return encode(one_argument((...), select('#', ...), 'encode'))
  end)
  made.decode = forward(function(...)
    return decode(one_argument((...), select('#', ...), 'decode'))
  end)
  made.new = forward(function()
    return json(new())
  end)
  return made
end

local raw_bit = native.bit
local lib_bit = copied(raw_bit, 'tobit bnot lshift rshift arshift rol ror bswap tohex')

for _, name in pairs({ 'band', 'bor', 'bxor' }) do
  local join, tobit = raw_bit[name], raw_bit.tobit
  lib_bit[name] = function(...)
    local count = select('#', ...)
    if count == 2 then
      return join(...)
    end
    if count < 2 then
      local value = ...
      if not tonumber(value) then
        local got = kind(value)
        error("bad argument #1 to '" .. name .. "' (number expected, got " .. got .. ')', 3)
      end
      return tobit(value)
    end
    local values = { ... }
    local result = tobit(values[1])
    for i = 2, count do
      result = join(result, values[i], i)
    end
    return result
  end
end

local raw_msgpack = native.cmsgpack
local lib_msgpack = copied(raw_msgpack, '_NAME _VERSION _COPYRIGHT _DESCRIPTION')

local function check_room(count)
  if count > STACK_SLOTS - 100 then
    error('too many return values at once; use unpack_one or unpack_limit instead.', 4)
  end
end

function lib_msgpack.pack(...)
  local count = select('#', ...)
  if count == 0 then
    error("bad argument #0 to 'pack' (MessagePack pack needs input.)", 3)
  end
  return raw_msgpack.pack({ ... }, count)
end

function lib_msgpack.unpack(text)
  check_text(text, 1, 'unpack')
  local values, count = raw_msgpack.unpack(text, 0, 0)
  check_room(count)
  return unpack(values, 1, count)
end

local function unpack_some(text, limit, offset, name)
  check_text(text, 1, name)
  limit, offset = tonumber(limit), tonumber(offset == nil and 0 or offset)
  if not limit or not offset then
    local at = limit and 3 or 2
    error('bad argument #' .. at .. " to '" .. name .. "' (number expected)", 4)
  end
  limit, offset = limit - limit % 1, offset - offset % 1
  if offset < 0 or limit < 0 then
    error('Invalid request to unpack with offset of ' .. offset .. ' and limit of ' .. limit .. '.', 4)
  end
  local length = #tostring(text)
  if offset > length then
    error('Start offset ' .. offset .. ' greater than input length ' .. length .. '.', 4)
  end
  local values, count, after = raw_msgpack.unpack(text, limit, offset)
  check_room(count)
  return after, unpack(values, 1, count)
end

function lib_msgpack.unpack_one(text, offset)
  return unpack_some(text, 1, offset, 'unpack_one')
end

function lib_msgpack.unpack_limit(text, limit, offset)
  return unpack_some(text, limit, offset, 'unpack_limit')
end

local raw_struct = native.struct
local lib_struct = {}

function lib_struct.pack(format, ...)
  check_text(format, 1, 'pack')
  return raw_struct.pack(format, { ... })
end

function lib_struct.unpack(format, data, position)
  check_text(format, 1, 'unpack')
  check_text(data, 2, 'unpack')
  local from = tonumber(position == nil and 1 or position)
  if not from then
    local got = kind(position)
    error("bad argument #3 to 'unpack' (number expected, got " .. got .. ')', 3)
  end
  if not (from >= 1 and from < 2 ^ 31) then
    error("bad argument #3 to 'unpack' (offset must be 1 or greater)", 3)
  end
  local values, count, after = raw_struct.unpack(format, data, from - from % 1)
  if count > STACK_SLOTS - 100 then
    error('too many results to unpack', 3)
  end
  values[count + 1] = after
  return unpack(values, 1, count + 1)
end

function lib_struct.size(format)
  check_text(format, 1, 'size')
  return raw_struct.size(format)
end

-- Errors and coroutines -----------------------------------------------------------------------

-- A userdata that is no error comes back as it is.
local function reveal(e)
  if type(e) == 'userdata' then
    return plain(e)
  end
  return e
end

base.pcall = native.catcher(function(e)
  e = reveal(e)
  if type(e) == 'table' then
    local text = rawget(behind[e] or e, 'err')
    if type(text) == 'string' or type(text) == 'number' then
      return text
    end
  end
  return e
end)

function base.xpcall(body, handler)
  local fatal
  local function handle(e)
    if type(e) == 'userdata' and native.is_fatal(e) then
      fatal = e
      return e
    end
    return handler(reveal(e))
  end
  local function leave(...)
    if fatal ~= nil then
      error(fatal, 0)
    end
    return ...
  end
  return leave(xpcall(body, handle))
end

local lib_coroutine = copied(coroutine, 'create running status yield')
local resume, depth = coroutine.resume, 0

local function resumed(ok, ...)
  depth = depth - 1
  if ok then
    return true, ...
  end
  return false, reveal((...))
end

-- A coroutine has a count of C calls of its own, so the nesting of coroutines needs another.
function lib_coroutine.resume(co, ...)
  if type(co) ~= 'thread' then
    error("bad argument #1 to 'resume' (coroutine expected)", 3)
  end
  if depth >= COROUTINE_DEPTH then
    return false, 'C stack overflow'
  end
  depth = depth + 1
  return resumed(resume(co, ...))
end

local function unwrapped(ok, ...)
  if ok then
    return ...
  end
  local e = ...
  if type(e) == 'string' then
    e = native.position(1) .. e
  end
  error(e, 0)
end

function lib_coroutine.wrap(body)
  local co = lib_coroutine.create(body)
  return forward(function(...)
    return unwrapped(lib_coroutine.resume(co, ...))
  end)
end

-- Code --------------------------------------------------------------------------------------

function base.loadstring(text, name)
  check_text(text, 1, 'loadstring')
  text = tostring(text)
  return compile(text, name == nil and text or tostring(name))
end

function base.load(reader, name)
  if type(reader) ~= 'function' then
    error("bad argument #1 to 'load' (function expected, got " .. kind(reader) .. ')', 3)
  end
  local parts, count = {}, 0
  while true do
    local ok, part = base.pcall(reader)
    if not ok then
      return nil, part
    end
    if part == nil or part == '' then
      break
    end
    if type(part) ~= 'string' then
      return nil, 'reader function must return a string'
    end
    count = count + 1
    parts[count] = part
    if count == 1 and part:byte() == 27 then
      -- Bytecode is refused at its first byte, whatever would come behind it.
      break
    end
  end
  return compile(table.concat(parts), name == nil and '=(load)' or tostring(name))
end

local COLLECTORS = { collect = true, count = true, step = true }
local SETTINGS = { stop = true, restart = true, setpause = true, setstepmul = true }

-- How memory is reclaimed is nothing that a script may decide for those after it.
function base.collectgarbage(what, value)
  if what == nil or COLLECTORS[what] then
    return collectgarbage(what, value)
  end
  if SETTINGS[what] then
    return 0
  end
  check_text(what, 1, 'collectgarbage')
  local text = "bad argument #1 to 'collectgarbage' (invalid option '" .. tostring(what) .. "')"
  error(text, 3)
end

-- Globals -----------------------------------------------------------------------------------

local lib_math = copied(math, [[
  abs acos asin atan atan2 ceil cos cosh deg exp floor fmod frexp huge ldexp log log10 max min mod
  modf pi pow rad sin sinh sqrt tan tanh
]])
lib_math.random, lib_math.randomseed = native.random, native.randomseed

base.string = protect(forwarded(lib_string))
base.table = protect(forwarded(lib_table))
base.math = protect(lib_math)
base.coroutine = protect(forwarded(lib_coroutine))
base.os = protect({ clock = os.clock })
base.bit = protect(forwarded(lib_bit))
base.cjson = protect(json(native.cjson))
base.cmsgpack = protect(forwarded(lib_msgpack))
base.struct = protect(forwarded(lib_struct))

local string_metatable = getmetatable('')
string_metatable.__index = lib_string
string_metatable.__metatable = protect({ __index = base.string })

local function nonexistent(_, name)
  local text = "Script attempted to access nonexistent global variable '" .. tostring(name) .. "'"
  error(text, 2)
end

local function guarded(real)
  local metatable = { __index = nonexistent }
  setmetatable(real, metatable)
  return protect(real, protect(metatable))
end

-- redis ----------------------------------------------------------------------------------------

local fail = native.fail

local redis = copied(native.redis, [[
  REDIS_VERSION REDIS_VERSION_NUM SERVER_NAME SERVER_VERSION SERVER_VERSION_NUM
  acl_check_cmd call pcall
]])
redis.LOG_DEBUG, redis.LOG_VERBOSE, redis.LOG_NOTICE, redis.LOG_WARNING = 0, 1, 2, 3
redis.REPL_NONE, redis.REPL_AOF, redis.REPL_SLAVE, redis.REPL_REPLICA, redis.REPL_ALL = 0, 1, 2, 2, 3

function redis.sha1hex(...)
  if select('#', ...) ~= 1 then
    return fail('ERR wrong number of arguments')
  end
  return native.redis.sha1hex((...))
end

local function one_string(...)
  return select('#', ...) == 1 and type((...)) == 'string'
end

function redis.error_reply(...)
  if not one_string(...) then
    return { err = 'ERR wrong number or type of arguments' }
  end
  local text = ...
  if text:sub(1, 1) == '-' then
    text = text:sub(2)
  end
  if not text:find(' ', 1, true) then
    text = 'ERR ' .. text
  end
  return { err = text }
end

function redis.status_reply(...)
  if not one_string(...) then
    return { err = 'ERR wrong number or type of arguments' }
  end
  return { ok = (...) }
end

function redis.log(...)
  local count = select('#', ...)
  if count < 2 then
    return fail('ERR redis.log() requires two arguments or more.')
  end
  local level = tonumber((...))
  if not level then
    return fail('ERR First argument must be a number (log level).')
  end
  if level < 0 or level > 3 then
    return fail('ERR Invalid log level.')
  end
  local words, said = { select(2, ...) }, {}
  for i = 1, count - 1 do
    local word = words[i]
    if type(word) == 'string' or type(word) == 'number' then
      said[#said + 1] = word
    end
  end
  native.redis.log(level - level % 1, table.concat(said, ' '))
end

function redis.setresp(...)
  if select('#', ...) ~= 1 then
    return fail('ERR redis.setresp() requires one argument.')
  end
  local version = tonumber((...))
  if version ~= 2 and version ~= 3 then
    return fail('ERR RESP version must be 2 or 3.')
  end
  native.redis.setresp(version == 3)
end

function redis.set_repl(...)
  if select('#', ...) ~= 1 then
    return fail('ERR redis.set_repl() requires one argument.')
  end
  local flags = tonumber((...)) or 0
  if flags < 0 or flags > 3 then
    return fail('ERR Invalid replication flags. Use REPL_AOF, REPL_REPLICA, REPL_ALL or REPL_NONE.')
  end
  native.redis.set_repl(flags % 2 >= 1)
end

local function register_function(...)
  local count, name, callback, flags, description = select('#', ...), ...
  if count < 1 or count > 2 then
    return fail('ERR wrong number of arguments to redis.register_function')
  end
  if count == 1 then
    if type(name) ~= 'table' then
      return fail('ERR calling redis.register_function with a single argument is only applicable to '
        .. 'Lua table (representing named arguments).')
    end
    local named = behind[name] or name
    name, callback, flags, description = nil, nil, nil, nil
    for key, value in next, named do
      if key == 'function_name' then
        if type(value) ~= 'string' and type(value) ~= 'number' then
          return fail('ERR function_name argument given to redis.register_function must be a string')
        end
        name = tostring(value)
      elseif key == 'description' then
        if type(value) ~= 'string' and type(value) ~= 'number' then
          return fail('ERR description argument given to redis.register_function must be a string')
        end
        description = tostring(value)
      elseif key == 'callback' then
        if type(value) ~= 'function' then
          return fail('ERR callback argument given to redis.register_function must be a function')
        end
        callback = value
      elseif key == 'flags' then
        if type(value) ~= 'table' then
          return fail('ERR flags argument to redis.register_function must be a table representing '
            .. 'function flags')
        end
        flags = value
      else
        return fail('ERR unknown argument given to redis.register_function')
      end
    end
    if not name then
      return fail('ERR redis.register_function must get a function name argument')
    end
    if not callback then
      return fail('ERR redis.register_function must get a callback argument')
    end
  else
    flags, description = nil, nil
    if type(name) ~= 'string' and type(name) ~= 'number' then
      return fail('ERR first argument to redis.register_function must be a string')
    end
    if type(callback) ~= 'function' then
      return fail('ERR second argument to redis.register_function must be a function')
    end
  end
  native.register(tostring(name), callback, flags, description)
end

forwarded(base)
local environment = guarded(base)
base._G = environment

local begin_load, end_load
if is_library_host then
  -- While a library loads, little more than registering is possible.
  local loading_redis = copied(redis, [[
    LOG_DEBUG LOG_VERBOSE LOG_NOTICE LOG_WARNING REDIS_VERSION REDIS_VERSION_NUM SERVER_NAME
    SERVER_VERSION SERVER_VERSION_NUM log
  ]])
  loading_redis.register_function = register_function
  forwarded(loading_redis)
  setmetatable(loading_redis, { __index = nonexistent })
  local loading = {}
  loading.redis = protect(loading_redis)
  loading.server = loading.redis
  setmetatable(loading, { __index = nonexistent })
  local metatable = getmetatable(environment)
  function begin_load()
    metatable.__index = loading
    behind[environment] = loading
  end
  function end_load()
    metatable.__index = base
    behind[environment] = base
  end
else
  function redis.breakpoint()
    return false
  end
  function redis.debug() end
  function redis.replicate_commands()
    return true
  end
end
base.redis = protect(forwarded(redis))
base.server = base.redis

given = nil

-- Entry points ------------------------------------------------------------------------------

local blame = native.blame

-- After a script that failed, in whatever depth.
local function reset()
  depth = 0
end

local function load_library(body)
  begin_load()
  local ok, value = xpcall(body, blame)
  end_load()
  return ok, value
end

return {
  globals = base,
  environment = environment,
  blame = blame,
  reset = reset,
  load_library = load_library,
}
