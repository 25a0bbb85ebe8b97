// Chooses the kernels of the highest level that the machine runs.

#include <atomic>

#include "kernels.h"
#include "plan/plan_kernels.h"
#include "rigl.h"

namespace rigl {

#if defined(__x86_64__)
namespace sse2 {
extern const Kernels kernels;
extern const plan::PlanKernels plan_kernels;
}  // namespace sse2
namespace avx2 {
extern const Kernels kernels;
extern const plan::PlanKernels plan_kernels;
}  // namespace avx2
namespace avx512 {
extern const Kernels kernels;
extern const plan::PlanKernels plan_kernels;
}  // namespace avx512
#else
namespace baseline {
extern const Kernels kernels;
extern const plan::PlanKernels plan_kernels;
}  // namespace baseline
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

struct Level {
  const Kernels* kernels;
  const plan::PlanKernels* plan_kernels;
};

const Level levels[] = {
#if defined(__x86_64__)
    {&sse2::kernels, &sse2::plan_kernels},
    {&avx2::kernels, &avx2::plan_kernels},
    {&avx512::kernels, &avx512::plan_kernels},
#else
    {&baseline::kernels, &baseline::plan_kernels},
#endif
};

std::atomic<const Level*> chosen{nullptr};

const Level& level_in_use() {
  const Level* found = chosen.load(std::memory_order_acquire);
  if (!found) {
    found = &levels[highest_level()];
    chosen.store(found, std::memory_order_release);
  }
  return *found;
}

}  // namespace

const Kernels& kernels() { return *level_in_use().kernels; }

const plan::PlanKernels& plan::plan_kernels() {
  return *level_in_use().plan_kernels;
}

int cap_level(int highest) {
  int level = highest_level();
  if (highest < level) level = highest < 0 ? 0 : highest;
  chosen.store(&levels[level], std::memory_order_release);
  return level;
}

}  // namespace rigl

int32_t rigl_cap_level(int32_t highest) { return rigl::cap_level(highest); }

const char* rigl_level_name() { return rigl::kernels().name; }
