// Products with one vector, by lookup in registers.
//
// A row dot product is bound by the load of each input. Here 32 inputs are in
// two registers, and one instruction looks up sixteen of them, for sixteen
// outputs. Outputs with fewer connections to these inputs than others have no
// part in the last steps: their values are left out of the table, 6.3 bytes for
// a connection at 90 % sparsity, or zeros, 10 bytes. Which is faster depends on
// the processor, and on where the table is: `LookupTable` measures it.
#ifndef TF_RIGL_NATIVE_PLAN_LOOKUP_H_
#define TF_RIGL_NATIVE_PLAN_LOOKUP_H_

#include "plan_kernels.h"
#include "vectors.h"

namespace {

using rigl::plan::Lookup;

#if defined(__AVX512F__)

template <bool kHasGaps>
void lookup_groups(const Lookup& table, int begin, int end, const float* x,
                   float* y) {
  for (int group = begin; group < end; group++) {
    const uint8_t* counts = table.counts + int64_t(group) * table.chunks;
    const uint16_t* lanes =
        kHasGaps ? nullptr : table.lanes + table.starts[group];
    const uint8_t* places = table.places + table.starts[group] * 16;
    const float* values = table.values + table.firsts[group];
    __m512 even = _mm512_setzero_ps(), odd = even;
    const auto step = [&](int i, __m512 low, __m512 high, __m512 sum) {
      const __m512i at = _mm512_cvtepu8_epi32(
          _mm_loadu_si128(reinterpret_cast<const __m128i*>(places + i * 16)));
      const __m512 input = _mm512_permutex2var_ps(low, at, high);
      if (kHasGaps) {
        const __m512 weight = _mm512_loadu_ps(values);
        values += 16;
        return _mm512_fmadd_ps(input, weight, sum);
      }
      const __mmask16 has = lanes[i];
      const __m512 weight = _mm512_maskz_expandloadu_ps(has, values);
      values += __builtin_popcount(has);
      return _mm512_mask3_fmadd_ps(input, weight, sum, has);
    };

    for (int chunk = 0; chunk < table.chunks; chunk++) {
      const __m512 low = _mm512_loadu_ps(x + chunk * 32);
      const __m512 high = _mm512_loadu_ps(x + chunk * 32 + 16);
      const int count = counts[chunk];
      int i = 0;
      for (; i + 2 <= count; i += 2) {
        even = step(i, low, high, even);
        odd = step(i + 1, low, high, odd);
      }
      if (i < count) even = step(i, low, high, even);
      if (!kHasGaps) lanes += count;
      places += count * 16;
    }
    _mm512_storeu_ps(y + group * 16, _mm512_add_ps(even, odd));
  }
}

void lookup(const Lookup& table, int begin, int end, const float* x, float* y) {
  if (table.lanes) return lookup_groups<false>(table, begin, end, x, y);
  lookup_groups<true>(table, begin, end, x, y);
}

constexpr auto kLookup = lookup;

#else

constexpr void (*kLookup)(const Lookup&, int, int, const float*,
                          float*) = nullptr;

#endif

}  // namespace

#endif  // TF_RIGL_NATIVE_PLAN_LOOKUP_H_
