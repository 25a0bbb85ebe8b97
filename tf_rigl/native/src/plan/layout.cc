#include "layout.h"

#include <algorithm>
#include <numeric>

namespace rigl::plan {
namespace {

// Wider borders than these waste more than a copy of the input costs.
constexpr int kWidestBorder = 4;

// Most places of a depthwise kernel that is computed as a sparse one.
constexpr int kFewPlaces = 64;

// Places of elements are int32 in the kernels.
constexpr int64_t kMostFloats = (int64_t(1) << 31) - 1;

bool is_image(const Program& program, int value) {
  return !program.shapes[value].is_vector();
}

bool has_narrow_borders(const Window& window) {
  return std::max({window.top, window.bottom, window.left, window.right}) <=
         kWidestBorder;
}

// Rows at multiples of a cache line let half of the loads of a 3 × 3 kernel, and
// all stores, be aligned: worth a sixth more positions.
int64_t aligned_pitch(int64_t pitch) {
  for (int64_t multiple : {16, 8, 4}) {
    const int64_t longer = (pitch + multiple - 1) / multiple * multiple;
    if (longer * 6 <= pitch * 7) return longer;
  }
  return pitch;
}

// Sets of values whose rows are equally far apart: a run of one is computed from
// the same run of others.
class Pitches {
 public:
  explicit Pitches(int values)
      : parent_(values), needed_(values, 1), is_shifted_(values) {
    std::iota(parent_.begin(), parent_.end(), 0);
  }

  void need(int value, int64_t pitch) {
    int64_t& of_set = needed_[find(value)];
    of_set = std::max(of_set, pitch);
  }

  // A kernel reads or writes the value at several shifts.
  void shift(int value) { is_shifted_[find(value)] = true; }

  void join(int a, int b) {
    a = find(a), b = find(b);
    parent_[b] = a;
    needed_[a] = std::max(needed_[a], needed_[b]);
    is_shifted_[a] = is_shifted_[a] || is_shifted_[b];
  }

  int64_t of(int value) {
    const int set = find(value);
    return is_shifted_[set] ? aligned_pitch(needed_[set]) : needed_[set];
  }

 private:
  int find(int value) {
    while (parent_[value] != value) {
      value = parent_[value] = parent_[parent_[value]];
    }
    return value;
  }

  std::vector<int> parent_;
  std::vector<int64_t> needed_;
  std::vector<bool> is_shifted_;
};

}  // namespace

void Place::set_planes(int64_t new_pitch, int64_t new_border) {
  is_vector = false;
  pitch = new_pitch;
  border = new_border;
  lead = rounded(border);
  channel_stride = rounded(h * pitch + border);
  // An even number of lines would map to few sets of the first cache.
  if (channel_stride > 256 && channel_stride % 32 == 0) channel_stride += 16;
  floats = lead + c * channel_stride + rounded(border) + kSlack;
  if (floats > kMostFloats) throw Refused{"A value of the plan is too large."};
}

View Place::view(float* memory, int tile) const {
  if (is_vector) return {memory + start * tile, 1, tile, c, tile, tile};
  return {memory + start, h, w, c, channel_stride, pitch};
}

bool is_direct(const Program& program, const Operation& one) {
  const Window& window = one.window;
  return one.kind != Kind::kConvolution ||
         (window.stride_y == 1 && window.stride_x == 1 &&
          is_image(program, one.inputs[0]) && is_image(program, one.output) &&
          has_narrow_borders(window));
}

bool reads_alone(const Program& program, const Operation& one) {
  return one.groups == program.shapes[one.inputs[0]].c &&
         one.weight.rows / one.groups < kFewestDenseRows &&
         one.weight.places <= kFewPlaces;
}

bool is_depthwise(const Program& program, const Operation& one) {
  const Window& window = one.window;
  const Weight& weight = one.weight;
  const bool is_sparse =
      !weight.is_dense() &&
      2 * int64_t(weight.connections) < int64_t(weight.rows) * weight.places;
  const bool has_common_size =
      window.height == window.width && (window.width == 3 || window.width == 5);
  // Other steps copy what is of stride 2.
  const bool is_faster = window.stride_x == 2 || (has_common_size && !is_sparse);
  return one.kind == Kind::kConvolution && one.inputs.size() == 1 &&
         is_faster && window.stride_y == window.stride_x &&
         window.stride_x <= 2 && window.dilation_y == 1 &&
         window.dilation_x == 1 &&
         reads_alone(program, one) && is_image(program, one.inputs[0]) &&
         is_image(program, one.output) && has_narrow_borders(window);
}

int64_t shift_of(int size, int dilation, int stride) {
  return int64_t(size - 1) * dilation / stride;
}

int count_head(const Program& program) {
  int head = 0;
  for (size_t i = 0; i < program.operations.size(); i++) {
    const Operation& one = program.operations[i];
    bool has_image = is_image(program, one.output);
    for (int value : one.inputs) has_image |= is_image(program, value);
    const bool has_window =
        one.kind == Kind::kConvolution && !one.window.is_single();
    // They are computed one example at a time.
    const bool is_alone =
        one.kind == Kind::kAttention || one.kind == Kind::kMatrixProduct;
    if (has_image || has_window || is_alone) head = int(i) + 1;
  }
  return head;
}

std::vector<Place> lay_out(const Program& program, int head) {
  const int values = int(program.shapes.size());
  Pitches pitches(values);
  std::vector<int64_t> above(values), beside(values);

  for (int value = 0; value < values; value++) {
    pitches.need(value, program.shapes[value].w);
  }
  const auto need_borders = [&](const Operation& one) {
    const Window& window = one.window;
    const int from = one.inputs[0];
    const int64_t gap = std::max(window.left, window.right);
    pitches.need(from, program.shapes[from].w + gap);
    above[from] = std::max<int64_t>(above[from],
                                    std::max(window.top, window.bottom));
    beside[from] = std::max(beside[from], gap);
  };
  for (int i = 0; i < head; i++) {
    const Operation& one = program.operations[i];
    if (!is_image(program, one.output)) continue;
    const Window& window = one.window;
    const int to = one.output;
    const int from = one.inputs.empty() ? to : one.inputs[0];
    switch (one.kind) {
      case Kind::kConvolution:
        if (is_depthwise(program, one)) {
          need_borders(one);
          break;
        }
        if (window.height * window.width > 1) pitches.shift(to);
        if (is_direct(program, one)) {
          pitches.join(from, to);
          need_borders(one);
        } else {
          pitches.need(to, program.shapes[to].w +
                               shift_of(window.width, window.dilation_x,
                                        window.stride_x));
        }
        if (one.inputs.size() == 2) pitches.join(one.inputs[1], to);
        break;
      case Kind::kDense:
      case Kind::kAffine:
      case Kind::kActivation:
      case Kind::kNormalize:
        pitches.join(from, to);
        break;
      case Kind::kAdd:
      case Kind::kMultiply:
        for (int value : one.inputs) {
          if (program.shapes[value] == program.shapes[to]) {
            pitches.join(value, to);
          }
        }
        break;
      default:
        break;
    }
  }

  std::vector<Place> places(values);
  for (int value = 0; value < values; value++) {
    const Shape& shape = program.shapes[value];
    Place& place = places[value];
    place.h = shape.h, place.w = shape.w, place.c = shape.c;
    if (shape.is_vector()) {
      place.floats = rounded(shape.c) + kSlack;
      continue;
    }
    const int64_t pitch = pitches.of(value);
    place.set_planes(pitch, above[value] * pitch + beside[value]);
  }
  return places;
}

int reusable_input(const Program& program, const Operation& one) {
  int found = -1;
  switch (one.kind) {
    case Kind::kConvolution:
      // With one window, the sum is written before the residual is read.
      if (one.inputs.size() == 2 && is_image(program, one.output)) {
        found = one.inputs[1];
      }
      break;
    case Kind::kAffine:
    case Kind::kActivation:
    case Kind::kNormalize:
    case Kind::kReshape:
      found = one.inputs[0];
      break;
    case Kind::kAdd:
    case Kind::kMultiply:
      // The step begins with the last one that has the shape of the output.
      for (int value : one.inputs) {
        if (program.shapes[value] == program.shapes[one.output]) found = value;
      }
      break;
    default:
      break;
  }
  if (found < 0 ||
      std::count(one.inputs.begin(), one.inputs.end(), found) != 1 ||
      !(program.shapes[found] == program.shapes[one.output])) {
    return -1;
  }
  return found;
}

int64_t allocate(std::vector<Span>& spans) {
  std::vector<Span*> order, placed;
  for (Span& span : spans) order.push_back(&span);
  std::stable_sort(order.begin(), order.end(), [](Span* a, Span* b) {
    return a->floats > b->floats;
  });

  int64_t total = 0;
  for (Span* span : order) {
    // `placed` is in the order of where arrays start.
    int64_t start = 0;
    for (const Span* other : placed) {
      if (other->last < span->first || other->first > span->last) continue;
      if (other->start - start >= span->floats) break;
      start = std::max(start, rounded(other->start + other->floats));
    }
    span->start = start;
    total = std::max(total, start + span->floats);
    placed.insert(std::upper_bound(placed.begin(), placed.end(), span,
                                   [](const Span* a, const Span* b) {
                                     return a->start < b->start;
                                   }),
                  span);
  }
  return rounded(total);
}

}  // namespace rigl::plan
