// Recurrent layers.

#include "recurrence.h"

#include <cstring>

#include "kernels.h"
#include "examples.h"
#include "vector_product.h"

namespace rigl::plan {
namespace {

// Multiply-adds that take as long as the gates of a unit.
constexpr int kWorkOfUnit = 50;
// Features that a thread gathers at least.
constexpr int kFeaturesAtOnce = 64;

// With room for what products read, and kernels overwrite, after the end.
constexpr int64_t padded(int64_t size) { return rounded(size) + 2 * kSlack; }

// Some rows of a weight, as a weight.
class RowsOfWeight {
 public:
  RowsOfWeight(const Weight& all, int begin, int end) : weight_(all) {
    weight_.rows = end - begin;
    if (all.bias) weight_.bias += begin;
    if (all.is_dense()) {
      weight_.values += int64_t(begin) * all.places;
      return;
    }
    const int first = all.row_ptr[begin];
    for (int row = begin; row <= end; row++) {
      row_ptr_.push_back(all.row_ptr[row] - first);
    }
    weight_.row_ptr = row_ptr_.data();
    weight_.connections = row_ptr_.back();
    weight_.values += first;
    weight_.cols = static_cast<const char*>(all.cols) +
                   int64_t(first) * all.column_bytes;
  }

  const Weight& weight() const { return weight_; }

 private:
  Weight weight_;
  std::vector<int32_t> row_ptr_;
};

// The arrays of a tile, while its steps are computed.
struct TileArrays {
  float* hidden;
  float* memory;
  float* reset;
  float* update;
  float* recurrent;
  float* read;
  float* product;
};

// The recurrence itself, for one vector or a tile of them.
class Cells {
 public:
  explicit Cells(const Operation& one)
      : recurrence_(one.recurrence),
        units_(one.weight.places),
        rows_(one.weight.rows),
        resets_first_(recurrence_.cell == Cell::kGruResetFirst),
        first_rows_(one.weight, 0, resets_first_ ? 2 * units_ : rows_),
        last_rows_(one.weight, resets_first_ ? 2 * units_ : rows_, rows_),
        product_(first_rows_.weight(), true),
        last_product_(last_rows_.weight(), true) {}

  // Times the width of the tile.
  int64_t floats() const {
    return 4 * padded(units_) + 2 * padded(rows_) + product_floats();
  }
  int narrowest() const {
    return std::max(product_.narrowest(), last_product_.narrowest());
  }

  void prepare(int tile) const {
    product_.prepare(tile);
    if (resets_first_) last_product_.prepare(tile);
  }

  void add_products(std::vector<const VectorProduct*>& all) const {
    all.insert(all.end(), {&product_, &last_product_});
  }

  TileArrays arrays(float* memory, int tile) const {
    const auto take = [&](int64_t size) {
      float* taken = memory;
      memory += padded(size) * tile;
      return taken;
    };
    TileArrays all;
    all.hidden = take(units_);
    all.memory = take(units_);
    all.reset = take(units_);
    all.update = take(units_);
    all.recurrent = take(rows_);
    all.read = take(rows_);
    all.product = memory;
    return all;
  }

  // Replaces the states. `read` is the product with the inputs of the step.
  void step(const Context& context, const TileArrays& all,
            const float* read) const {
    const CellStep step{recurrence_, int64_t(units_) * context.tile,
                        read,        all.recurrent,
                        all.hidden,  all.memory,
                        all.update,  all.reset};
    product_.run(context, all.hidden, all.recurrent, all.product);
    if (resets_first_) {
      for_ranges(context, step, context.kernels.reset);
      last_product_.run(context, all.reset, all.recurrent + 2 * step.count,
                        all.product);
    }
    for_ranges(context, step, context.kernels.cell_step);
  }

 private:
  int64_t product_floats() const {
    return std::max(product_.temporary_floats(),
                    last_product_.temporary_floats());
  }

  // Ranges are of whole vectors: what is after one is of another thread.
  static void for_ranges(const Context& context, const CellStep& step,
                         decltype(PlanKernels::cell_step) function) {
    const int vectors = int((step.count + kWidestVector - 1) / kWidestVector);
    for_parts(context, step.count * kWorkOfUnit, vectors,
              [&](int begin, int end) {
                function(step, int64_t(begin) * kWidestVector,
                         std::min(int64_t(end) * kWidestVector, step.count));
              });
  }

  const Recurrence& recurrence_;
  const int units_, rows_;
  const bool resets_first_;
  const RowsOfWeight first_rows_, last_rows_;
  const VectorProduct product_, last_product_;
};

// Of a single vector for each example, wherever it is.
struct OneStep : Step {
  explicit OneStep(const Operation& one) : one(one), cells(one) {
    temporary_floats = cells.floats();
    narrowest = cells.narrowest();
  }

  void prepare(int tile) const override { cells.prepare(tile); }

  void add_products(std::vector<const VectorProduct*>& all) const override {
    cells.add_products(all);
  }

  void run(const Context& context) const override {
    const TileArrays all = cells.arrays(temporary(context), context.tile);
    const size_t floats = int64_t(one.weight.places) * context.tile;
    float* const states[] = {all.hidden, all.memory};
    for (int i = 0; i < one.recurrence.states(); i++) {
      if (one.inputs.size() == 1) {
        std::fill_n(states[i], floats, 0.0f);
      } else {
        std::copy_n(context.view(one.inputs[i + 1]).data, floats, states[i]);
      }
    }
    cells.step(context, all, context.view(one.inputs[0]).data);
    float* out = context.view(one.output).data;
    const bool both = one.recurrence.returns == Returns::kStates;
    for (int i = 0; i < (both ? one.recurrence.states() : 1); i++) {
      std::copy_n(states[i], floats, out + i * floats);
    }
  }

  const Operation& one;
  const Cells cells;
};

// Of a sequence. Values have the steps of each channel side by side; here they
// are turned, so that a step is a vector.
struct SequenceStep : TogetherStep {
  SequenceStep(const Making& making, const Operation& one)
      : one(one),
        cells(one),
        steps(making.place(one.inputs[0]).w),
        read_stride(rounded(one.weight.rows)),
        made_stride(rounded(one.weight.places)) {
    const bool keeps_all = one.recurrence.returns == Returns::kSequence;
    read_floats = steps * read_stride + kSlack;
    temporary_floats =
        read_floats + (keeps_all ? steps * made_stride + kSlack : 0);
    shared_floats = cells.floats();
    narrowest = cells.narrowest();
  }

  void prepare(int tile) const override { cells.prepare(tile); }

  void add_products(std::vector<const VectorProduct*>& all) const override {
    cells.add_products(all);
  }

  void run_together(const Examples& examples) const override {
    const Context tile{examples.kernels, examples.places, examples.memory,
                       examples.tile, examples.split};
    const TileArrays all = cells.arrays(examples.shared, tile.tile);
    examples.for_each([this](const Context& context) { turn_read(context); });
    begin(examples, all);
    const Direction direction = one.recurrence.direction;
    for (int i = 0; i < steps; i++) {
      const int place = direction == Direction::kForward ? i : steps - 1 - i;
      cells.step(tile, all, gather(examples, tile, all, place));
      keep(examples, all, direction == Direction::kBackward ? i : place);
    }
    finish_all(examples, all);
  }

  float* read_of(const Context& context) const { return temporary(context); }
  float* made_of(const Context& context) const {
    return temporary(context) + read_floats;
  }

  void turn_read(const Context& context) const {
    const View in = context.view(one.inputs[0]);
    kernels().transpose(in.data, in.channel_stride, in.c, steps,
                        read_of(context), read_stride);
  }

  // The states before the first step.
  void begin(const Examples& examples, const TileArrays& all) const {
    const int units = one.weight.places;
    float* const states[] = {all.hidden, all.memory};
    for (int i = 0; i < one.recurrence.states(); i++) {
      if (one.inputs.size() == 1) {
        std::fill_n(states[i], int64_t(units) * examples.tile, 0.0f);
      } else {
        const View given =
            examples.example(0, false).view(one.inputs[i + 1]);
        to_tile(examples, given.data, units, states[i]);
      }
    }
  }

  // What the examples read in one step.
  const float* gather(const Examples& examples, const Context& tile,
                      const TileArrays& all, int place) const {
    const float* first =
        read_of(examples.example(0, false)) + place * read_stride;
    if (examples.tile == 1) return first;
    const int rows = one.weight.rows;
    const int blocks = (rows + kFeaturesAtOnce - 1) / kFeaturesAtOnce;
    for_parts(tile, int64_t(rows) * tile.tile * 4, blocks,
              [&](int begin, int end) {
                const int from = begin * kFeaturesAtOnce;
                const int to = std::min(end * kFeaturesAtOnce, rows);
                to_tile(examples, first + from, to - from,
                        all.read + int64_t(from) * tile.tile);
              });
    return all.read;
  }

  void keep(const Examples& examples, const TileArrays& all, int place) const {
    if (one.recurrence.returns != Returns::kSequence) return;
    from_tile(examples, all.hidden,
              made_of(examples.example(0, false)) + place * made_stride);
  }

  void finish_all(const Examples& examples, const TileArrays& all) const {
    const int units = one.weight.places;
    if (one.recurrence.returns == Returns::kSequence) {
      examples.for_each([this](const Context& context) { turn_made(context); });
      return;
    }
    float* out = examples.example(0, false).view(one.output).data;
    from_tile(examples, all.hidden, out);
    const bool both = one.recurrence.returns == Returns::kStates;
    if (both && one.recurrence.states() == 2) {
      from_tile(examples, all.memory, out + units);
    }
  }

  void turn_made(const Context& context) const {
    const View out = context.view(one.output);
    kernels().transpose(made_of(context), made_stride, steps, out.c, out.data,
                        out.channel_stride);
    clear_borders(context, one.output, 0, out.c);
  }

  // Between arrays of the examples and a tile of them.
  static void to_tile(const Examples& examples, const float* from, int features,
                      float* to) {
    if (examples.tile == 1) {
      std::memcpy(to, from, features * sizeof(float));
    } else {
      kernels().to_tile(from, examples.stride, examples.count, features,
                        examples.tile, to);
    }
  }

  void from_tile(const Examples& examples, const float* from, float* to) const {
    const int units = one.weight.places;
    if (examples.tile == 1) {
      std::memcpy(to, from, units * sizeof(float));
    } else {
      kernels().from_tile(from, examples.tile, examples.count, units, to,
                          examples.stride);
    }
  }

  const Operation& one;
  const Cells cells;
  const int steps;
  const int64_t read_stride, made_stride;  // of the turned arrays
  int64_t read_floats = 0;
};

}  // namespace

NewStep make_recurrence(const Making& making, const Operation& one) {
  if (making.place(one.inputs[0]).is_vector) {
    return std::make_unique<OneStep>(one);
  }
  return std::make_unique<SequenceStep>(making, one);
}

}  // namespace rigl::plan
