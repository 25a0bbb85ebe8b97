// The steps of a run: operations with all that could be computed beforehand.
#ifndef TF_RIGL_NATIVE_PLAN_STEPS_H_
#define TF_RIGL_NATIVE_PLAN_STEPS_H_

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "partition.h"
#include "plan_kernels.h"
#include "layout.h"
#include "program.h"
#include "pool.h"

namespace rigl::plan {

// One part of a run: the head of one example, or the tail of one tile.
struct Context {
  const PlanKernels& kernels;
  const std::vector<Place>& places;
  float* memory;
  int tile = 1;         // examples side by side
  bool split = false;   // whether a step may use several threads

  View view(int value) const { return places[value].view(memory, tile); }
};

struct TogetherStep;
class VectorProduct;

struct Step {
  virtual ~Step() = default;

  // Makes what is needed for tiles of this width; the first run calls it. Any
  // number of threads may. Throws std::bad_alloc.
  virtual void prepare(int) const {}

  virtual void run(const Context& context) const = 0;

  // Adds the products of weights with vectors, in an order of the file.
  virtual void add_products(std::vector<const VectorProduct*>&) const {}

  // A step of the head that computes several examples at once: examples.h.
  virtual const TogetherStep* as_together() const { return nullptr; }

  // The narrowest tile, but for 1, that it can be run with.
  int narrowest = 4;

  // Memory for this step alone.
  int64_t temporary_floats = 0;  // times the width of the tile
  int64_t temporary_start = 0;

  float* temporary(const Context& context) const {
    return context.memory + temporary_start * context.tile;
  }
};

// What is known when steps are made.
struct Making {
  const Program& program;
  const std::vector<Place>& places;
  bool is_head;

  const Place& place(int value) const { return places[value]; }
};

using NewStep = std::unique_ptr<Step>;

NewStep make_step(const Making& making, const Operation& one);

// Of each kind; see the files of the same names.
NewStep make_dense(const Making& making, const Operation& one);
NewStep make_convolution(const Making& making, const Operation& one);
NewStep make_depthwise(const Making& making, const Operation& one);
NewStep make_one_window(const Making& making, const Operation& one);
NewStep make_pool(const Making& making, const Operation& one);
NewStep make_global_pool(const Making& making, const Operation& one);
NewStep make_pad(const Making& making, const Operation& one);
NewStep make_elementwise(const Making& making, const Operation& one);
NewStep make_copy(const Making& making, const Operation& one);
NewStep make_concatenate(const Making& making, const Operation& one);
NewStep make_constant(const Making& making, const Operation& one);
NewStep make_normalize(const Making& making, const Operation& one);
NewStep make_transpose(const Making& making, const Operation& one);
NewStep make_slice(const Making& making, const Operation& one);
NewStep make_embedding(const Making& making, const Operation& one);
NewStep make_attention(const Making& making, const Operation& one);
NewStep make_matrix_product(const Making& making, const Operation& one);
NewStep make_recurrence(const Making& making, const Operation& one);

// Copies elements, of any order in memory to any other. What is between rows of
// `to` may be overwritten, unless `exact`.
void copy(const PlanKernels& kernels, const View& from, const View& to,
          bool exact = false);

// The same by several threads, each some rows.
void copy_rows(const Context& context, const View& from, const View& to);

// The same elements as an array [h][w][c], channels last.
View channels_last(float* data, int h, int w, int c);

// Sets the zeros around these channels of a value, which a step has left as
// they were, or overwritten with the rests of vectors.
void clear_borders(const Context& context, int value, int begin, int end);

// Computes an activation that a step has not, of some channels of a value.
void activate(const Context& context, const Operation& one, int begin,
              int end);

// Softmax is over all channels at once.
void finish(const Context& context, const Operation& one);

// An element that is read and written takes as long as so many multiply-adds.
constexpr int kMoved = 16;

// Calls body(begin, end) for parts of [0, count), all of which together are so
// many multiply-adds.
template <class Function>
void for_parts(const Context& context, int64_t work, int count,
               const Function& body) {
  const int parts =
      context.split ? std::min(parts_for(work), count) : 1;
  if (parts <= 1) return body(0, count);
  parallel_for(parts, [&](int part) {
    body(int(int64_t(count) * part / parts),
         int(int64_t(count) * (part + 1) / parts));
  });
}

}  // namespace rigl::plan

#endif  // TF_RIGL_NATIVE_PLAN_STEPS_H_
