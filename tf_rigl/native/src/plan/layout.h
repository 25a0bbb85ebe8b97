// Where the values of a plan lie in memory.
//
// A run has two parts. The head is computed one example at a time: all that has
// to do with images, whose channels are planes. The tail, of vectors alone, is
// computed for up to 32 examples at once: its values are tiles [channels][w].
#ifndef TF_RIGL_NATIVE_PLAN_LAYOUT_H_
#define TF_RIGL_NATIVE_PLAN_LAYOUT_H_

#include <cstdint>
#include <vector>

#include "program.h"

namespace rigl::plan {

// Examples of the tail that are computed at once.
constexpr int kWidestTile = 32;

// Kernels read and write whole vectors, several at once: so many floats after
// the end of an array may be touched.
constexpr int64_t kSlack = 16;

constexpr int64_t rounded(int64_t size) { return (size + 15) / 16 * 16; }

// An array of channels, each of h × w, in any order in memory.
struct View {
  float* data;
  int h, w, c;
  int64_t channel_stride;
  int64_t pitch;     // between rows
  int64_t step = 1;  // between elements of a row

  float* channel(int number) const { return data + number * channel_stride; }
  // From the first to the last position of a channel, with what is between.
  int64_t run() const { return (h - 1) * pitch + w; }
};

// Where a value is, in floats from the start of the memory of one example; of
// vectors of the tail, times the width of the tile.
struct Place {
  bool is_vector = true;
  int h = 1, w = 1, c = 1;
  int64_t start = 0;  // of the first element
  int64_t channel_stride = 1;
  int64_t pitch = 1;
  int64_t lead = 0;    // zeros before the first element
  int64_t border = 0;  // zeros that convolutions read beyond the edges
  int64_t floats = 0;  // all that belongs to it

  bool is_laid_out_as(const Place& other) const {
    return is_vector == other.is_vector && lead == other.lead &&
           channel_stride == other.channel_stride && pitch == other.pitch &&
           floats == other.floats;
  }

  // Allocates the rows of an image and its zeros.
  void set_planes(int64_t new_pitch, int64_t new_border);
  View view(float* memory, int tile) const;
};

// Whether a convolution reads its input where it is, beyond the edges if need
// be. Others copy it first: by phases, so that strides become shifts.
bool is_direct(const Program& program, const Operation& one);

// Kernels with fewer outputs in a group share too little to be dense ones.
constexpr int kFewestDenseRows = 3;

// Whether each output reads one channel, which few others do: all positions of
// one output then come before the next, as its channel stays in the first cache.
bool reads_alone(const Program& program, const Operation& one);

// Whether a convolution is a depthwise one with a kernel of its own. It reads its
// input where it is, as direct ones do, but writes rows that may be as far apart
// as others need.
bool is_depthwise(const Program& program, const Operation& one);

// The largest shift in a row between taps of a convolution that is not direct.
int64_t shift_of(int size, int dilation, int stride);

// Returns how many operations the head has.
int count_head(const Program& program);

// Chooses the places of the values of the head, but for where they start.
// Throws Refused.
std::vector<Place> lay_out(const Program& program, int head);

// Returns the input whose memory the output may take, if nothing else needs it:
// each element is read before the same element of the output is written. -1 if
// there is none.
int reusable_input(const Program& program, const Operation& one);

// An array that is needed from one step to another, both included.
struct Span {
  int first;
  int last;
  int64_t floats;
  int64_t start = 0;  // is written
};

// Chooses where arrays start, so that none overlaps another one that is needed
// at the same time. Returns the size of all.
int64_t allocate(std::vector<Span>& spans);

}  // namespace rigl::plan

#endif  // TF_RIGL_NATIVE_PLAN_LAYOUT_H_
