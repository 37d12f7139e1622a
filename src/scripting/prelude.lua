-- What scripts find, made from Lua's own libraries and from what is handed in; nothing of it can be changed by a script.
-- What takes as long as its arguments are large, and is no loop of instructions here, is handed in.
local given = ...
local judge, tame, refuse_frozen = given.judge, given.tame, given.refuse_frozen
local error, getmetatable, next, pairs, rawget, rawset, select, setmetatable, type =
  error, getmetatable, next, pairs, rawget, rawset, select, setmetatable, type
local raw_pcall, raw_xpcall, raw_load, tostring = pcall, xpcall, given.load, tostring
local concat = given.table.concat

local frozen = {}

local function modify()
  error("Attempt to modify a readonly table", 2)
end

-- A table through which another is seen, and not changed.
local function freeze(real)
  local seen = setmetatable({}, { __index = real, __newindex = modify, __metatable = false })
  frozen[seen] = true
  return seen
end

local function take_in(library, given)
  for name, value in pairs(given) do
    library[name] = value
  end
  return library
end

local scripts = {}
for name in ([[assert collectgarbage error gcinfo getmetatable ipairs next pairs rawequal rawget select setmetatable
    tonumber tostring type unpack _VERSION]]):gmatch("%S+") do
  scripts[name] = _G[name]
end
take_in(scripts, given.base)

local function after_pcall(ok, ...)
  if ok then
    return ok, ...
  end
  return false, judge((...))
end

function scripts.pcall(...)
  return after_pcall(raw_pcall(...))
end

local function after_xpcall(ok, ...)
  if not ok then
    judge(nil)
  end
  return ok, ...
end

function scripts.xpcall(run, handler)
  return after_xpcall(raw_xpcall(run, function(raised)
    return handler(tame(raised))
  end))
end

function scripts.rawset(t, key, value)
  if frozen[t] then
    error("Attempt to modify a readonly table", 0)
  end
  return rawset(t, key, value)
end

function scripts.setmetatable(t, meta)
  if frozen[t] then
    error("Attempt to modify a readonly table", 0)
  end
  return setmetatable(t, meta)
end

scripts.loadstring = raw_load

function scripts.load(piece, name)
  if type(piece) ~= "function" then
    error("bad argument #1 to 'load' (function expected, got " .. type(piece) .. ")", 2)
  end
  local pieces = {}
  while true do
    local part = piece()
    if part == nil or part == "" then
      return raw_load(concat(pieces), name or "=(load)")
    end
    if type(part) ~= "string" then
      return nil, "reader function must return a string"
    end
    pieces[#pieces + 1] = part
  end
end

-- The libraries' own tables: strings find their methods there.
local string, table, math = string, table, math
string.dump, string.gfind = nil, nil
take_in(string, given.string)
string.gfind = string.gmatch
take_in(table, given.table)
take_in(math, given.math)
getmetatable("").__metatable = false

local gsub_text, find_from = given.string.gsub, given.find_from

local function replacement(with, whole, first, ...)
  local value
  if type(with) == "function" then
    value = with(first, ...)
  else
    value = with[first]
  end
  if not value then
    return whole
  end
  if type(value) ~= "string" and type(value) ~= "number" then
    error("invalid replacement value (a " .. type(value) .. ")", 4)
  end
  return value
end

-- One replacement, from `from` on. Returns where the next begins; nil: there is none.
local function replace(s, parts, from, with, start, stop, ...)
  if not start then
    return nil
  end
  parts[#parts + 1] = s:sub(from, start - 1)
  parts[#parts + 1] = replacement(with, ...)
  if stop >= start then
    return stop + 1, true
  end
  parts[#parts + 1] = s:sub(start, start)
  return start + 1, start <= #s
end

function string.gsub(s, pattern, with, max)
  if type(with) ~= "function" and type(with) ~= "table" then
    return gsub_text(s, pattern, with, max)
  end
  if type(s) ~= "string" and type(s) ~= "number" then
    error("bad argument #1 to 'gsub' (string expected, got " .. type(s) .. ")", 2)
  end
  s = tostring(s)
  local parts, from, count, goes_on = {}, 1, 0, true
  while goes_on and (not max or count < max) do
    local next_from
    next_from, goes_on = replace(s, parts, from, with, find_from(s, pattern, from))
    if not next_from then
      break
    end
    from, count = next_from, count + 1
    if pattern:sub(1, 1) == "^" then
      break
    end
  end
  parts[#parts + 1] = s:sub(from)
  return concat(parts), count
end

function table.maxn(t)
  local most = 0
  for key in pairs(t) do
    if type(key) == "number" and key > most then
      most = key
    end
  end
  return most
end

function table.foreach(t, call)
  for key, value in pairs(t) do
    local found = call(key, value)
    if found ~= nil then
      return found
    end
  end
end

function table.foreachi(t, call)
  for index = 1, #t do
    local found = call(index, t[index])
    if found ~= nil then
      return found
    end
  end
end

-- As `auxsort` of Lua 5.1 does it.
local function sort(t, low, high, is_before)
  while low < high do
    if is_before(t[high], t[low]) then
      t[low], t[high] = t[high], t[low]
    end
    if high - low == 1 then
      return
    end
    local middle = low + (high - low - (high - low) % 2) / 2
    if is_before(t[middle], t[low]) then
      t[middle], t[low] = t[low], t[middle]
    elseif is_before(t[high], t[middle]) then
      t[middle], t[high] = t[high], t[middle]
    end
    if high - low == 2 then
      return
    end
    local pivot = t[middle]
    t[middle], t[high - 1] = t[high - 1], t[middle]
    local left, right = low, high - 1
    while true do
      left = left + 1
      while is_before(t[left], pivot) do
        if left > high then
          error("invalid order function for sorting", 0)
        end
        left = left + 1
      end
      right = right - 1
      while is_before(pivot, t[right]) do
        if right < low then
          error("invalid order function for sorting", 0)
        end
        right = right - 1
      end
      if right < left then
        break
      end
      t[left], t[right] = t[right], t[left]
    end
    t[high - 1], t[left] = t[left], t[high - 1]
    if left - low < high - left then
      sort(t, low, left - 1, is_before)
      low = left + 1
    else
      sort(t, left + 1, high, is_before)
      high = left - 1
    end
  end
end

local function is_less(one, other)
  return one < other
end

function table.sort(t, is_before)
  if type(t) ~= "table" then
    error("bad argument #1 to 'sort' (table expected, got " .. (t == nil and "no value" or type(t)) .. ")", 2)
  end
  refuse_frozen(t)
  sort(t, 1, #t, is_before or is_less)
end

-- What else scripts find.
local libraries = { string = string, table = table, math = math, redis = given.redis }
for name, library in pairs(given.libraries) do
  libraries[name] = library
end
for name, library in pairs(libraries) do
  scripts[name] = freeze(library)
end

setmetatable(scripts, {
  __index = function(_, name)
    error("Script attempted to access nonexistent global variable '" .. tostring(name) .. "'", 2)
  end,
})
local globals = freeze(scripts)
scripts._G = globals

-- What asks the node is redis.call, made for each script. The rarer questions go through it, each with its mark.
local redis, questions = given.redis, given.questions

function redis.pcall(...)
  return redis.call(questions.pcall, ...)
end

-- `false` keeps their places in the table, as nil would not.
local function forget(...)
  scripts.KEYS, scripts.ARGV = false, false
  return ...
end

local handle = given.handle
local function run(script, asking, keys, argv)
  redis.call, scripts.KEYS, scripts.ARGV = asking, keys, argv
  return forget(raw_xpcall(script, handle))
end

return globals, scripts, run
