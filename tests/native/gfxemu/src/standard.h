// What most sources take from the standard library; build.sh compiles it once.
#include <algorithm>
#include <bit>
#include <cmath>
#include <immintrin.h>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>
