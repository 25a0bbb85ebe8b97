// Functions of single elements, and sums over runs of them.
#ifndef TF_RIGL_NATIVE_PLAN_POINTWISE_H_
#define TF_RIGL_NATIVE_PLAN_POINTWISE_H_

#include <cstring>
#include <type_traits>
#include <utility>

#include "plan_kernels.h"
#include "vectors.h"

namespace {

using rigl::plan::Activation;
using Floats = Vector<kLanes>;
using Ints = Integers<kLanes>;

// Not those of the standard library, of which the linker keeps one level's copy.
RIGL_INLINE int64_t smaller(int64_t a, int64_t b) { return a < b ? a : b; }
RIGL_INLINE float larger(float a, float b) { return a > b ? a : b; }

RIGL_INLINE Floats all_of(float value) { return Floats{} + value; }
RIGL_INLINE Floats least(Floats a, Floats b) { return a < b ? a : b; }
RIGL_INLINE Floats most(Floats a, Floats b) { return a > b ? a : b; }

RIGL_INLINE Floats magnitude(Floats x) {
  return (Floats)((Ints)x & 0x7FFFFFFF);
}

// e^r − 1 for |r| ≤ ln 2 / 2, to a unit in the last place.
RIGL_INLINE Floats small_exponential_minus_one(Floats r) {
  Floats power = all_of(1.9875691500e-4f);
  power = power * r + 1.3981999507e-3f;
  power = power * r + 8.3334519073e-3f;
  power = power * r + 4.1665795894e-2f;
  power = power * r + 1.6666665459e-1f;
  power = power * r + 5.0000001201e-1f;
  return power * r * r + r;
}

// e^x to 2 units in the last place, by 2^n · e^r. Beyond the range of float32
// it is 0 or infinity.
RIGL_INLINE Floats exponential(Floats x) {
  const Floats limited = least(most(x, all_of(-87.3f)), all_of(88.7f));
  // Conversions truncate, on every machine.
  const Floats scaled = limited * 1.44269504f;
  const Ints exponent = __builtin_convertvector(
      scaled + (scaled < Floats{} ? all_of(-0.5f) : all_of(0.5f)), Ints);
  const Floats n = __builtin_convertvector(exponent, Floats);
  const Floats r = (limited - n * 0.693359375f) + n * 2.12194440e-4f;
  const Floats power = small_exponential_minus_one(r) + 1.0f;

  // In two steps, because 2^128 is no float32.
  const Ints half = exponent >> 1;
  const Floats first = (Floats)((half + 127) << 23);
  const Floats second = (Floats)((exponent - half + 127) << 23);
  const Floats result = power * first * second;
  const Floats infinite = all_of(__builtin_inff());
  const Floats bounded = x > all_of(88.73f) ? infinite : result;
  const Floats known = x < all_of(-87.3f) ? Floats{} : bounded;
  return x == x ? known : x;
}

// Near 0 the difference would have few digits.
RIGL_INLINE Floats exponential_minus_one(Floats x) {
  return magnitude(x) < all_of(0.34f) ? small_exponential_minus_one(x)
                                      : exponential(x) - 1.0f;
}

RIGL_INLINE Floats sigmoid(Floats x) {
  return all_of(1.0f) / (all_of(1.0f) + exponential(-x));
}

// By e^2x; for small x, where that loses digits, by its series.
RIGL_INLINE Floats hyperbolic_tangent(Floats x) {
  const Floats e = exponential(magnitude(x) * -2.0f);
  const Floats large = (all_of(1.0f) - e) / (all_of(1.0f) + e);
  const Floats s = x * x;
  Floats series = all_of(-0.00886323f);
  series = series * s + 0.02186949f;
  series = series * s - 0.05396825f;
  series = series * s + 0.13333333f;
  series = series * s - 0.33333333f;
  series = x + x * s * series;
  const Floats signed_large = x < Floats{} ? -large : large;
  return magnitude(x) < all_of(0.4f) ? series : signed_large;
}

// 1 + erf(x / √2) to 3e-7, by formula 7.1.26 of Abramowitz and Stegun.
RIGL_INLINE Floats normal_mass(Floats x) {
  const Floats z = magnitude(x) * 0.70710678f;
  const Floats t = all_of(1.0f) / (all_of(1.0f) + z * 0.3275911f);
  Floats power = all_of(1.061405429f);
  power = power * t - 1.453152027f;
  power = power * t + 1.421413741f;
  power = power * t - 0.284496736f;
  power = power * t + 0.254829592f;
  const Floats tail = power * t * exponential(-z * z);
  return x < Floats{} ? tail : all_of(2.0f) - tail;
}

template <Activation kActivation>
RIGL_INLINE Floats activated(Floats x, float slope) {
  const Floats zero{};
  switch (kActivation) {
    case Activation::kRelu:
      return most(x, zero);
    case Activation::kRelu6:
      return least(most(x, zero), all_of(6.0f));
    case Activation::kLeakyRelu:
      return x > zero ? x : x * slope;
    case Activation::kElu:
      return x > zero ? x : exponential_minus_one(x);
    case Activation::kSigmoid:
      return sigmoid(x);
    case Activation::kHardSigmoid:
      return least(most(x + 3.0f, zero), all_of(6.0f)) * (1.0f / 6);
    case Activation::kTanh:
      return hyperbolic_tangent(x);
    case Activation::kSwish:
      return x * sigmoid(x);
    case Activation::kHardSwish:
      return x * least(most(x + 3.0f, zero), all_of(6.0f)) * (1.0f / 6);
    case Activation::kGelu:
      return x * 0.5f * normal_mass(x);
    case Activation::kGeluTanh:
      return x * 0.5f *
             (all_of(1.0f) +
              hyperbolic_tangent((x + x * x * x * 0.044715f) * 0.79788456f));
    default:
      return x;
  }
}

// function(vector) of each vector of a run; the last one is padded with zeros.
template <class Function>
RIGL_INLINE void for_each_vector(const float* in, float* out, int64_t n,
                                 const Function& function) {
  int64_t i = 0;
  for (; i + kLanes <= n; i += kLanes) {
    store<kLanes>(out + i, function(load<kLanes>(in + i)));
  }
  if (i < n) {
    float rest[kLanes] = {};
    std::memcpy(rest, in + i, (n - i) * sizeof(float));
    store<kLanes>(rest, function(load<kLanes>(rest)));
    std::memcpy(out + i, rest, (n - i) * sizeof(float));
  }
}

template <Activation kActivation>
void activate_all(float* x, int64_t n, float slope) {
  for_each_vector(x, x, n, [slope](Floats one) {
    return activated<kActivation>(one, slope);
  });
}

// Calls function(kind), whose `value` is the activation, but of a linear one and
// of softmax, which is of more than one element.
template <class Function>
RIGL_INLINE void with_activation(Activation activation,
                                 const Function& function) {
  switch (activation) {
#define RIGL_ACTIVATION(name) \
  case Activation::name:      \
    return function(std::integral_constant<Activation, Activation::name>());
    RIGL_ACTIVATION(kRelu)
    RIGL_ACTIVATION(kRelu6)
    RIGL_ACTIVATION(kLeakyRelu)
    RIGL_ACTIVATION(kElu)
    RIGL_ACTIVATION(kSigmoid)
    RIGL_ACTIVATION(kHardSigmoid)
    RIGL_ACTIVATION(kTanh)
    RIGL_ACTIVATION(kSwish)
    RIGL_ACTIVATION(kHardSwish)
    RIGL_ACTIVATION(kGelu)
    RIGL_ACTIVATION(kGeluTanh)
#undef RIGL_ACTIVATION
    default:
      return;
  }
}

void activate(float* x, int64_t n, Activation activation, float slope) {
  with_activation(activation, [=](auto kind) {
    activate_all<decltype(kind)::value>(x, n, slope);
  });
}

void add(const float* a, const float* b, float* out, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = a[i] + b[i];
}

void multiply(const float* a, const float* b, float* out, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = a[i] * b[i];
}

void affine(const float* a, float scale, float offset, float* out, int64_t n) {
  for (int64_t i = 0; i < n; i++) out[i] = a[i] * scale + offset;
}

template <int kStride>
void take_all(const float* __restrict in, int64_t stride, float* __restrict out,
              int64_t n) {
  const int64_t s = kStride ? kStride : stride;
  for (int64_t i = 0; i < n; i++) out[i] = in[i * s];
}

void take(const float* in, int64_t stride, float* out, int64_t n) {
  if (stride == 1) return take_all<1>(in, 1, out, n);
  if (stride == 2) return take_all<2>(in, 2, out, n);
  if (stride == 3) return take_all<3>(in, 3, out, n);  // of colors
  take_all<0>(in, stride, out, n);
}

template <int... Lane>
RIGL_INLINE Floats even_lanes(Floats a, Floats b,
                              std::integer_sequence<int, Lane...>) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, (2 * Lane)...);
#else
  typedef int32_t Places __attribute__((vector_size(kLanes * 4)));
  return __builtin_shuffle(a, b, Places{(2 * Lane)...});
#endif
}

void take_rows(const float* __restrict in, int64_t pitch, int64_t stride,
               float* __restrict out, int64_t out_pitch, int rows, int64_t n) {
  for (int row = 0; row < rows; row++, in += pitch, out += out_pitch) {
    if (stride == 1) {
      for (int64_t i = 0; i < n; i += kLanes) {
        store<kLanes>(out + i, load<kLanes>(in + i));
      }
    } else if (stride == 2) {
      for (int64_t i = 0; i < n; i += kLanes) {
        const float* from = in + 2 * i;
        store<kLanes>(out + i,
                      even_lanes(load<kLanes>(from), load<kLanes>(from + kLanes),
                                 std::make_integer_sequence<int, kLanes>()));
      }
    } else {
      for (int64_t i = 0; i < n; i++) out[i] = in[i * stride];
    }
  }
}

template <int kStride>
void take_max_all(const float* __restrict in, int64_t stride,
                  float* __restrict out, int64_t n) {
  const int64_t s = kStride ? kStride : stride;
  for (int64_t i = 0; i < n; i++) out[i] = larger(out[i], in[i * s]);
}

void take_max(const float* in, int64_t stride, float* out, int64_t n) {
  if (stride == 1) return take_max_all<1>(in, 1, out, n);
  if (stride == 2) return take_max_all<2>(in, 2, out, n);
  take_max_all<0>(in, stride, out, n);
}

template <int kStride>
void take_sum_all(const float* __restrict in, int64_t stride,
                  float* __restrict out, int64_t n) {
  const int64_t s = kStride ? kStride : stride;
  for (int64_t i = 0; i < n; i++) out[i] += in[i * s];
}

void take_sum(const float* in, int64_t stride, float* out, int64_t n) {
  if (stride == 1) return take_sum_all<1>(in, 1, out, n);
  if (stride == 2) return take_sum_all<2>(in, 2, out, n);
  take_sum_all<0>(in, stride, out, n);
}

float sum_of(const float* in, int64_t n) {
  float total = 0;
  for (int64_t i = 0; i < n; i++) total += in[i];
  return total;
}

float max_of(const float* in, int64_t n) {
  float found = in[0];
  for (int64_t i = 1; i < n; i++) found = larger(found, in[i]);
  return found;
}

void exponential_all(float* x, int64_t n) {
  for_each_vector(x, x, n, [](Floats one) { return exponential(one); });
}

// For one position, channels are what is contiguous.
void softmax_vector(float* x, int64_t n) {
  const float largest = max_of(x, n);
  for (int64_t i = 0; i < n; i++) x[i] -= largest;
  exponential_all(x, n);
  const float factor = 1 / sum_of(x, n);
  for (int64_t i = 0; i < n; i++) x[i] *= factor;
}

void softmax(float* x, int channels, int64_t stride, int64_t n) {
  if (n == 1 && stride == 1) return softmax_vector(x, channels);
  constexpr int kAtOnce = 64;
  for (int64_t first = 0; first < n; first += kAtOnce) {
    const int count = int(smaller(kAtOnce, n - first));
    float largest[kAtOnce], total[kAtOnce] = {};
    const auto at = [&](int c) { return x + first + c * stride; };

    std::memcpy(largest, at(0), count * sizeof(float));
    for (int c = 1; c < channels; c++) take_max(at(c), 1, largest, count);
    for (int c = 0; c < channels; c++) {
      for (int i = 0; i < count; i++) at(c)[i] -= largest[i];
      exponential_all(at(c), count);
      add(total, at(c), total, count);
    }
    for (int i = 0; i < count; i++) total[i] = 1 / total[i];
    for (int c = 0; c < channels; c++) multiply(at(c), total, at(c), count);
  }
}

}  // namespace

#endif  // TF_RIGL_NATIVE_PLAN_POINTWISE_H_
