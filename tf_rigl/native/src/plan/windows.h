// Where a convolution finds what it reads.
#ifndef TF_RIGL_NATIVE_PLAN_WINDOWS_H_
#define TF_RIGL_NATIVE_PLAN_WINDOWS_H_

#include <cstdint>
#include <vector>

#include "steps.h"

namespace rigl::plan {

// Each tap of a kernel reads planes at one shift. Of a convolution with strides,
// what a tap reads is every so many elements of the input: its phase. Phases are
// copied to planes of their own, with the padding around them.
class Windows {
 public:
  // With `one_channel`, memory is for one channel at a time.
  Windows(const Making& making, const Operation& one, bool one_channel);

  int64_t temporary_floats() const { return temporary_floats_; }
  int64_t channel_stride() const { return channel_stride_; }

  // From the first to the last tap.
  int64_t halo() const;

  // Of what the tap of that number reads first in a channel.
  int32_t offset(int tap, int channel) const {
    return int32_t(taps_[tap] + (one_channel_ ? 0 : channel * channel_stride_));
  }

  // Copies what has to be, and returns where offsets count from.
  const float* read(const Context& context, float* temporary) const;

  // The same for one channel.
  const float* read_one(const Context& context, int channel,
                        float* temporary) const;

 private:
  struct Phase {
    int y, x;       // of the first element in the padded input
    int64_t start;  // of its planes
  };

  void read_channel(const PlanKernels& kernels, const View& in, int channel,
                    const Phase& phase, float* to) const;

  const int value_;
  const Window window_;
  const bool is_direct_;
  const bool one_channel_;
  int64_t pitch_ = 0;
  int64_t channel_stride_ = 0;
  int64_t temporary_floats_ = 0;
  int rows_ = 0, columns_ = 0;  // of a phase
  std::vector<Phase> phases_;
  std::vector<int64_t> taps_;
};

}  // namespace rigl::plan

#endif  // TF_RIGL_NATIVE_PLAN_WINDOWS_H_
