// Chooses the kernels of the highest level that the machine runs.

#include <atomic>

#include "kernels.h"
#include "rigl.h"

namespace rigl {

#if defined(__x86_64__)
namespace sse2 {
extern const Kernels kernels;
}
namespace avx2 {
extern const Kernels kernels;
}
namespace avx512 {
extern const Kernels kernels;
}
#else
namespace baseline {
extern const Kernels kernels;
}
#endif

namespace {

int highest_level() {
#if defined(__x86_64__)
  // Asked one by one: older compilers do not know names such as x86-64-v3.
  const bool avx2 =
      __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
      __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool avx512 =
      __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512vl");
  return avx2 ? (avx512 ? 2 : 1) : 0;
#else
  return 0;
#endif
}

const Kernels* kernels_of(int level) {
#if defined(__x86_64__)
  if (level == 2) return &avx512::kernels;
  if (level == 1) return &avx2::kernels;
  return &sse2::kernels;
#else
  return &baseline::kernels;
#endif
}

std::atomic<const Kernels*> chosen{nullptr};

}  // namespace

const Kernels& kernels() {
  const Kernels* found = chosen.load(std::memory_order_acquire);
  if (!found) {
    found = kernels_of(highest_level());
    chosen.store(found, std::memory_order_release);
  }
  return *found;
}

int cap_level(int highest) {
  int level = highest_level();
  if (highest < level) level = highest < 0 ? 0 : highest;
  chosen.store(kernels_of(level), std::memory_order_release);
  return level;
}

}  // namespace rigl

int32_t rigl_cap_level(int32_t highest) { return rigl::cap_level(highest); }

const char* rigl_level_name() { return rigl::kernels().name; }
