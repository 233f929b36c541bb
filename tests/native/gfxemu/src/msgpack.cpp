#include "msgpack.h"

#include <stdexcept>

namespace gfxemu {
namespace {

class Reader {
 public:
  Reader(const u8 *at, size_t count) : at_(at), end_(at + count) {}

  MsgValue read() {
    u8 tag = (u8)number(1);
    MsgValue v;
    if (tag <= 0x7f || tag >= 0xe0) return integer((i8)tag);
    if (tag <= 0x8f) return map(tag & 15);
    if (tag <= 0x9f) return array(tag & 15);
    if (tag <= 0xbf) return string(tag & 31);
    switch (tag) {
      case 0xc0: return v;
      case 0xc2: case 0xc3: v.kind = MsgValue::Bool; v.number = tag & 1; return v;
      case 0xca: number(4); v.kind = MsgValue::Float; return v;
      case 0xcb: number(8); v.kind = MsgValue::Float; return v;
      case 0xcc: return integer((i64)number(1));
      case 0xcd: return integer((i64)number(2));
      case 0xce: return integer((i64)number(4));
      case 0xcf: return integer((i64)number(8));
      case 0xd0: return integer((i8)number(1));
      case 0xd1: return integer((i16)number(2));
      case 0xd2: return integer((i32)number(4));
      case 0xd3: return integer((i64)number(8));
      case 0xc4: case 0xd9: return string(number(1));
      case 0xc5: case 0xda: return string(number(2));
      case 0xc6: case 0xdb: return string(number(4));
      case 0xdc: return array(number(2));
      case 0xdd: return array(number(4));
      case 0xde: return map(number(2));
      case 0xdf: return map(number(4));
    }
    throw std::runtime_error("metadata: unknown tag");
  }

 private:
  u64 number(int bytes) {
    if (end_ - at_ < bytes) throw std::runtime_error("metadata: ends early");
    u64 v = 0;
    for (int k = 0; k < bytes; k++) v = v << 8 | *at_++;
    return v;
  }
  static MsgValue integer(i64 n) { MsgValue v; v.kind = MsgValue::Int; v.number = n; return v; }
  MsgValue string(u64 n) {
    if ((u64)(end_ - at_) < n) throw std::runtime_error("metadata: ends early");
    MsgValue v;
    v.kind = MsgValue::String;
    v.text.assign((const char *)at_, n);
    at_ += n;
    return v;
  }
  MsgValue array(u64 n) {
    MsgValue v;
    v.kind = MsgValue::Array;
    while (n--) v.items.push_back(read());
    return v;
  }
  MsgValue map(u64 n) {
    MsgValue v;
    v.kind = MsgValue::Map;
    while (n--) {
      std::string key = read().text;
      v.fields.emplace_back(std::move(key), read());
    }
    return v;
  }
  const u8 *at_, *end_;
};

}  // namespace

const MsgValue &MsgValue::operator[](const char *key) const {
  static const MsgValue nil;
  for (auto &[name, value] : fields)
    if (name == key) return value;
  return nil;
}

MsgValue read_msgpack(const u8 *bytes, size_t count) { return Reader(bytes, count).read(); }

}  // namespace gfxemu
