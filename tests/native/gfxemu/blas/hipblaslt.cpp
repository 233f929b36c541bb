// As much of hipBLASLt as the library calls, computed on the host in double precision: a stand-in for tests on an emulated GPU.
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <thread>
#include <vector>

extern "C" int hipMemcpy(void *to, const void *from, size_t bytes, int kind);
extern "C" int hipStreamSynchronize(void *stream);

namespace {

enum Status { Success = 0, InvalidValue = 3, NotSupported = 7 };
enum Type { F32 = 0, BF16 = 14 };

struct Descriptor { bool transpose_a, transpose_b; };
struct Layout { int type; uint64_t rows, columns; int64_t leading; };
struct Algorithm { uint64_t data[2]; size_t workspace; };
struct Heuristic { Algorithm algorithm; size_t workspace; int state; float waves; int reserved[4]; };

int delay = 0;
int search = Success;

std::vector<float> read(const void *at, const Layout &l) {
  size_t count = (l.columns - 1) * l.leading + l.rows;
  std::vector<float> values(count);
  if (l.type == F32) {
    if (hipMemcpy(values.data(), at, count * 4, 2)) return {};
    return values;
  }
  std::vector<uint16_t> bits(count);
  if (hipMemcpy(bits.data(), at, count * 2, 2)) return {};
  for (size_t i = 0; i < count; i++) {
    uint32_t wide = (uint32_t)bits[i] << 16;
    memcpy(&values[i], &wide, 4);
  }
  return values;
}

// A column of D at a time: what lies between columns is not the product's.
int write(void *to, const Layout &l, uint64_t column, const std::vector<double> &values) {
  if (l.type == F32) {
    std::vector<float> floats(values.begin(), values.end());
    return hipMemcpy((float *)to + column * l.leading, floats.data(), floats.size() * 4, 1);
  }
  std::vector<uint16_t> bits(values.size());
  for (size_t i = 0; i < values.size(); i++) {
    float value = (float)values[i];
    uint32_t wide;
    memcpy(&wide, &value, 4);
    bits[i] = (uint16_t)((wide + 0x7fff + (wide >> 16 & 1)) >> 16);
  }
  return hipMemcpy((uint16_t *)to + column * l.leading, bits.data(), bits.size() * 2, 1);
}

}  // namespace

#define API extern "C" __attribute__((visibility("default")))

// Milliseconds that every product takes from now on.
API void gfxemuSetBlasDelay(int milliseconds) { delay = milliseconds; }

// What the search for a kernel answers from now on.
API void gfxemuSetBlasSearch(int status) { search = status; }

API int hipblasLtCreate(void **handle) { *handle = new char; return Success; }
API int hipblasLtDestroy(void *handle) { delete (char *)handle; return Success; }
API int hipblasLtGetVersion(void *, int *version) { *version = 1000; return Success; }
API int hipblasLtMatmulDescCreate(void **descriptor, int compute, int scale) {
  if (compute != 2 || scale != F32) return NotSupported;
  *descriptor = new Descriptor{};
  return Success;
}
API int hipblasLtMatmulDescDestroy(void *descriptor) { delete (Descriptor *)descriptor; return Success; }
API int hipblasLtMatmulDescSetAttribute(void *descriptor, int attribute, const int *value, size_t bytes) {
  if (attribute > 1 || bytes != sizeof(int) || *value < 111 || *value > 112) return InvalidValue;
  (attribute ? ((Descriptor *)descriptor)->transpose_b : ((Descriptor *)descriptor)->transpose_a) = *value == 112;
  return Success;
}
API int hipblasLtMatrixLayoutCreate(void **layout, int type, uint64_t rows, uint64_t columns, int64_t leading) {
  if ((type != F32 && type != BF16) || !rows || !columns || leading < (int64_t)rows) return InvalidValue;
  *layout = new Layout{type, rows, columns, leading};
  return Success;
}
API int hipblasLtMatrixLayoutDestroy(void *layout) { delete (Layout *)layout; return Success; }
API int hipblasLtMatmulPreferenceCreate(void **preference) { *preference = new char; return Success; }
API int hipblasLtMatmulPreferenceDestroy(void *preference) { delete (char *)preference; return Success; }
API int hipblasLtMatmulPreferenceSetAttribute(void *, int attribute, const void *, size_t bytes) { return attribute == 1 && bytes == 8 ? Success : InvalidValue; }
API int hipblasLtMatmulAlgoGetHeuristic(void *, void *, void *, void *, void *, void *, void *, int, Heuristic *result, int *found) {
  *result = {};
  *found = search == Success;
  return search;
}
API int hipblasLtMatmul(void *, void *descriptor, const float *alpha, const void *a, void *a_layout, const void *b, void *b_layout, const float *beta, const void *, void *,
                        void *d, void *d_layout, const Algorithm *, void *, size_t, void *stream) {
  const auto &how = *(Descriptor *)descriptor;
  const auto &la = *(Layout *)a_layout, &lb = *(Layout *)b_layout, &ld = *(Layout *)d_layout;
  uint64_t inner = how.transpose_a ? la.rows : la.columns;
  if (!how.transpose_a || how.transpose_b || *alpha != 1 || *beta != 0 || inner != lb.rows || ld.rows != la.columns || ld.columns != lb.columns) return InvalidValue;
  if (int failed = hipStreamSynchronize(stream)) return failed;
  std::this_thread::sleep_for(std::chrono::milliseconds(delay));
  std::vector<float> left = read(a, la), right = read(b, lb);
  if (left.empty() || right.empty()) return InvalidValue;
  for (uint64_t column = 0; column < ld.columns; column++) {
    std::vector<double> sums(ld.rows);
    for (uint64_t row = 0; row < ld.rows; row++)
      for (uint64_t k = 0; k < inner; k++) sums[row] += (double)left[row * la.leading + k] * right[column * lb.leading + k];
    if (int failed = write(d, ld, column, sums)) return failed;
  }
  return Success;
}
