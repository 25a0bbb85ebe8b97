#include "windows.h"

#include <algorithm>
#include <map>
#include <utility>

namespace rigl::plan {

Windows::Windows(const Making& making, const Operation& one, bool one_channel)
    : value_(one.inputs[0]),
      window_(one.window),
      is_direct_(is_direct(making.program, one)),
      one_channel_(one_channel && !is_direct_) {
  const Place& in = making.place(value_);
  const Place& out = making.place(one.output);
  const Window& window = window_;
  pitch_ = is_direct_ ? in.pitch : out.pitch;
  if (is_direct_) {
    channel_stride_ = in.channel_stride;
  } else {
    rows_ = out.h + int(shift_of(window.height, window.dilation_y,
                                 window.stride_y));
    columns_ = out.w + int(shift_of(window.width, window.dilation_x,
                                    window.stride_x));
    channel_stride_ = rounded((rows_ - 1) * pitch_ + columns_ + 15);
    if (channel_stride_ % 32 == 0) channel_stride_ += 16;
  }

  const int64_t channels = one_channel_ ? 1 : in.c;
  std::map<std::pair<int, int>, int> numbers;
  for (int y = 0; y < window.height; y++) {
    for (int x = 0; x < window.width; x++) {
      const int64_t at_y = int64_t(y) * window.dilation_y;
      const int64_t at_x = int64_t(x) * window.dilation_x;
      if (is_direct_) {
        taps_.push_back((at_y - window.top) * pitch_ + at_x - window.left);
        continue;
      }
      const int phase_y = int(at_y % window.stride_y);
      const int phase_x = int(at_x % window.stride_x);
      const auto [known, is_new] = numbers.try_emplace(
          {phase_y, phase_x}, int(phases_.size()));
      if (is_new) {
        const int64_t start = channels * channel_stride_ * int64_t(phases_.size());
        phases_.push_back({phase_y, phase_x, start});
      }
      taps_.push_back(phases_[known->second].start + at_y / window.stride_y * pitch_ +
                      at_x / window.stride_x);
    }
  }
  if (!is_direct_) {
    temporary_floats_ =
        channels * channel_stride_ * int64_t(phases_.size()) + kSlack;
    if (temporary_floats_ > INT32_MAX) {
      throw Refused{"A value of the plan is too large."};
    }
  }
}

int64_t Windows::halo() const {
  const auto [least, most] = std::minmax_element(taps_.begin(), taps_.end());
  // Phases are arrays of their own; a row of each is about right.
  return is_direct_ ? *most - *least
                    : int64_t(phases_.size() - 1) * 2 * pitch_;
}

const float* Windows::read(const Context& context, float* temporary) const {
  const View in = context.view(value_);
  if (is_direct_) return in.data;

  // An image has few channels, but several phases.
  const int phases = int(phases_.size());
  for_parts(context, temporary_floats_ * kMoved, in.c * phases,
            [&](int begin, int end) {
    for (int number = begin; number < end; number++) {
      const int channel = number / phases;
      const Phase& phase = phases_[number % phases];
      read_channel(context.kernels, in, channel, phase,
                   temporary + phase.start + channel * channel_stride_);
    }
  });
  return temporary;
}

const float* Windows::read_one(const Context& context, int channel,
                               float* temporary) const {
  const View in = context.view(value_);
  for (const Phase& phase : phases_) {
    read_channel(context.kernels, in, channel, phase, temporary + phase.start);
  }
  return temporary;
}

void Windows::read_channel(const PlanKernels& kernels, const View& in,
                           int channel, const Phase& phase, float* to) const {
  // Columns [begin, end) are inside the input; the others are padding.
  const int stride = window_.stride_x;
  const int first = phase.x - window_.left;  // may be negative
  const int before = first < 0 ? (-first + stride - 1) / stride : 0;
  const int within = first < in.w ? (in.w - first + stride - 1) / stride : 0;
  const int begin = std::min(before, columns_);
  const int end = std::max(begin, std::min(within, columns_));

  // Likewise rows.
  const int stride_y = window_.stride_y;
  const int top = phase.y - window_.top;
  const int above = top < 0 ? (-top + stride_y - 1) / stride_y : 0;
  const int below = top < in.h ? (in.h - top + stride_y - 1) / stride_y : 0;
  const int first_row = std::min(above, rows_);
  const int last_row = std::max(first_row, std::min(below, rows_));

  if (begin < end && first_row < last_row) {
    const float* from = in.channel(channel) +
                        (top + int64_t(first_row) * stride_y) * in.pitch +
                        first + int64_t(begin) * stride;
    kernels.take_rows(from, stride_y * in.pitch, stride,
                      to + first_row * pitch_ + begin, pitch_,
                      last_row - first_row, end - begin);
  }

  // Afterwards, because rows are copied by whole vectors.
  const int64_t size = (rows_ - 1) * pitch_ + columns_;
  std::fill(to, to + std::min(first_row * pitch_, size), 0.0f);
  std::fill(to + std::min(last_row * pitch_, size), to + size, 0.0f);
  if (begin == 0 && end == columns_) return;
  for (int row = first_row; row < last_row; row++) {
    float* out = to + row * pitch_;
    for (int x = 0; x < begin; x++) out[x] = 0;
    for (int x = end; x < columns_; x++) out[x] = 0;
  }
}

}  // namespace rigl::plan
