// Reads MessagePack, the form of a code object's metadata.
#pragma once
#include "numeric.h"

#include <string>
#include <utility>
#include <vector>

namespace gfxemu {

struct MsgValue {
  enum Kind { Nil, Bool, Int, Float, String, Array, Map } kind = Nil;
  i64 number = 0;
  std::string text;
  std::vector<MsgValue> items;                         // arrays
  std::vector<std::pair<std::string, MsgValue>> fields; // maps with text keys

  // The field, or a Nil value.
  const MsgValue &operator[](const char *key) const;
};

// Throws std::runtime_error where the bytes end early or are no MessagePack.
MsgValue read_msgpack(const u8 *bytes, size_t count);

}  // namespace gfxemu
