#include "run.h"

#include <algorithm>
#include <cstring>

#include "kernels.h"
#include "pool.h"
#include "vector_product.h"

namespace rigl::plan {

namespace {

// What kernels may read after the last value.
constexpr int64_t kAfter = 64;

// What the examples of a tile may have, if they are computed together.
constexpr int64_t kMostFloatsTogether = int64_t(64) << 20;

}  // namespace

Plan::Plan(std::unique_ptr<Bytes> bytes)
    : bytes_(std::move(bytes)),
      program_(read_program(bytes_->data(), bytes_->size())),
      head_count_(count_head(program_)),
      made_by_(program_.shapes.size(), -1),
      is_read_by_head_(program_.shapes.size()) {
  const int operations = int(program_.operations.size());
  for (int i = 0; i < operations; i++) {
    made_by_[program_.operations[i].output] = i;
  }
  make_part(head_, 0, head_count_, true);
  make_part(tail_, head_count_, operations, false);
  find_passed();
  if (head_.has_together) {
    while (widest_ > narrowest_ &&
           widest_ * head_.floats > kMostFloatsTogether) {
      widest_ /= 2;
    }
  }
  bytes_->rest();
}

void Plan::make_part(Part& part, int begin, int end, bool is_head) {
  const int values = int(program_.shapes.size());
  part.places = lay_out(program_, is_head ? end : 0);
  const Making making{program_, part.places, is_head};

  // When each value is needed. Inputs of the part are there before its first
  // step, and what others need of it is there after its last.
  std::vector<int> first(values, INT32_MAX), last(values, -1);
  for (int i = begin; i < end; i++) {
    const Operation& one = program_.operations[i];
    part.steps.push_back(make_step(making, one));
    const int step = i - begin;
    for (int value : one.inputs) {
      if (made_by_[value] < begin) first[value] = -1;
      if (is_head) is_read_by_head_[value] = true;
      last[value] = step;
    }
    first[one.output] = step;
    last[one.output] = std::max(last[one.output], step);
  }
  const auto keep = [&](int value) {
    if (made_by_[value] >= begin && made_by_[value] < end) {
      last[value] = end - begin;
    }
  };
  for (int value : program_.outputs) keep(value);
  for (size_t i = end; i < program_.operations.size(); i++) {
    for (int value : program_.operations[i].inputs) keep(value);
  }

  // Numbers of spans; some outputs take the memory of an input.
  std::vector<int> span_of(values, -1);
  std::vector<Span> spans;
  const auto add_span = [&](int value) {
    span_of[value] = int(spans.size());
    spans.push_back({first[value], last[value], part.places[value].floats});
  };
  for (int value = 0; value < values; value++) {
    if (first[value] == -1 && last[value] >= 0) add_span(value);
  }
  for (int i = begin; i < end; i++) {
    const Operation& one = program_.operations[i];
    const int reused = reusable_input(program_, one);
    const int value = one.output;
    if (reused >= 0 && last[reused] == i - begin &&
        part.places[reused].is_laid_out_as(part.places[value])) {
      span_of[value] = span_of[reused];
      spans[span_of[value]].last = last[value];
    } else {
      add_span(value);
    }
  }
  const int steps_from = int(spans.size());
  for (size_t i = 0; i < part.steps.size(); i++) {
    spans.push_back({int(i), int(i), part.steps[i]->temporary_floats});
    narrowest_ = std::max(narrowest_, part.steps[i]->narrowest);
    if (const TogetherStep* one = part.steps[i]->as_together()) {
      part.has_together = true;
      part.shared_floats = std::max(part.shared_floats, one->shared_floats);
    }
  }
  part.floats = allocate(spans) + kAfter;

  for (int value = 0; value < values; value++) {
    if (span_of[value] < 0) continue;
    Place& place = part.places[value];
    place.start = spans[span_of[value]].start + place.lead;
  }
  for (size_t i = 0; i < part.steps.size(); i++) {
    part.steps[i]->temporary_start = spans[steps_from + i].start;
  }
}

void Plan::find_passed() {
  std::vector<bool> is_known(program_.shapes.size());
  for (size_t i = head_count_; i < program_.operations.size(); i++) {
    for (int value : program_.operations[i].inputs) {
      if (made_by_[value] >= head_count_ || is_known[value]) continue;
      is_known[value] = true;
      const auto& inputs = program_.inputs;
      const auto found = std::find(inputs.begin(), inputs.end(), value);
      const bool is_input = found != inputs.end();
      passed_.push_back({value, is_input ? int(found - inputs.begin()) : -1,
                         passed_floats_});
      if (!is_input) passed_floats_ += rounded(program_.shapes[value].c);
    }
  }
}

std::vector<const VectorProduct*> Plan::products() const {
  std::vector<const VectorProduct*> all;
  for (const Part* part : {&head_, &tail_}) {
    for (const NewStep& step : part->steps) step->add_products(all);
  }
  return all;
}

std::string Plan::layouts() const {
  std::string all;
  for (const VectorProduct* one : products()) all += char(one->layout());
  return all;
}

void Plan::set_layouts(const std::string& layouts) const {
  const auto all = products();
  if (layouts.size() != all.size() ||
      layouts.find_first_not_of("-gp") != std::string::npos) {
    throw Refused{"The tuning is not of this plan."};
  }
  for (size_t i = 0; i < all.size(); i++) {
    all[i]->set_layout(Layout(layouts[i]));
  }
}

int64_t Plan::buffer_bytes() const {
  return (head_.floats + head_.shared_floats + tail_.floats + passed_floats_) *
         int64_t(sizeof(float));
}

void Plan::run(const float* const* inputs, float* const* outputs,
               int64_t batch) const {
  for (size_t i = 0; i < program_.outputs.size(); i++) {
    const int value = program_.outputs[i];
    if (made_by_[value] < 0) copy_input(value, inputs, outputs[i], batch);
  }
  if (program_.operations.empty()) return;
  check_numbers(inputs, batch);

  // Tiles depend on the batch alone, so that no sum depends on threads.
  std::vector<Tile> tiles;
  if (batch == 1) {
    tiles.push_back({0, 1, 1});
  } else {
    tiles = tiles_of(0, batch, widest_, narrowest_);
  }
  for (const NewStep& step : head_.steps) {
    step->prepare(step->as_together() ? tiles[0].w : 1);
  }
  for (const NewStep& step : tail_.steps) step->prepare(tiles[0].w);

  const auto run_of = [&](const Tile& tile) {
    return Run{inputs, outputs, tile.first, tile.rows, tile.w};
  };
  const int many = threads();
  const Awake awake;
  if (head_count_ > 0 || int(tiles.size()) < many || many == 1) {
    for (const Tile& tile : tiles) run_block(run_of(tile), many > 1);
    return;
  }
  // Here, because tasks must not throw.
  const int tasks = std::min(int(tiles.size()), many);
  const int64_t floats = tail_.floats * tiles[0].w;
  const Buffer memory(buffers_, floats * tasks);
  parallel_for(tasks, [&](int task) {
    for (size_t i = task; i < tiles.size(); i += tasks) {
      run_tail(run_of(tiles[i]), nullptr, memory.data() + task * floats, false);
    }
  });
}

// Inputs of embeddings are numbers of rows.
void Plan::check_numbers(const float* const* inputs, int64_t batch) const {
  const auto& all = program_.inputs;
  for (const Operation& one : program_.operations) {
    if (one.kind != Kind::kEmbedding) continue;
    const int value = one.inputs[0];
    const auto input = std::find(all.begin(), all.end(), value) - all.begin();
    const float* numbers = inputs[input];
    const auto rows = float(one.weight.rows);
    const int64_t count = batch * program_.shapes[value].elements();
    for (int64_t i = 0; i < count; i++) {
      const float number = numbers[i];
      if (number >= 0 && number < rows && number == float(int(number))) continue;
      throw Refused{program_.input_names[input] +
                    " must have whole numbers from 0 to " +
                    std::to_string(one.weight.rows - 1) + ", but has " +
                    std::to_string(number) + "."};
    }
  }
}

// An output may be an input.
void Plan::copy_input(int value, const float* const* inputs, float* output,
                      int64_t batch) const {
  const auto& all = program_.inputs;
  const auto number = std::find(all.begin(), all.end(), value) - all.begin();
  std::memcpy(output, inputs[number],
              batch * program_.shapes[value].elements() * sizeof(float));
}

void Plan::run_block(const Run& run, bool split) const {
  const Buffer passed(buffers_, passed_floats_ * run.count + kSlack);
  if (head_count_ > 0) run_heads(run, passed.data(), split);
  const Buffer memory(buffers_, tail_.floats * run.tile);
  run_tail(run, passed.data(), memory.data(), split);
}

void Plan::run_heads(const Run& run, float* passed, bool split) const {
  if (head_.has_together) return run_heads_together(run, passed, split);
  const int tasks = split ? std::min(run.count, threads()) : 1;
  const Buffer memory(buffers_, head_.floats * tasks);
  // Examples are tasks where there are enough; else steps are split.
  if (tasks < threads() || tasks == 1) {
    for (int example = 0; example < run.count; example++) {
      run_head(run, example, memory.data(), passed, split);
    }
    return;
  }
  parallel_for(tasks, [&](int task) {
    for (int example = task; example < run.count; example += tasks) {
      run_head(run, example, memory.data() + task * head_.floats, passed,
               false);
    }
  });
}

void Plan::run_head(const Run& run, int example, float* memory, float* passed,
                    bool split) const {
  const Context context{plan_kernels(), head_.places, memory, 1, split};
  read_head(run, example, context);
  for (const NewStep& step : head_.steps) step->run(context);
  write_head(run, example, context, passed);
}

void Plan::run_heads_together(const Run& run, float* passed,
                              bool split) const {
  // An even number of lines would map to few sets of the first cache.
  const int64_t stride = head_.floats + (head_.floats % 32 == 0 ? 16 : 0);
  const Buffer memory(buffers_, stride * run.count);
  const Buffer shared(buffers_, head_.shared_floats * run.tile);
  const Examples examples{plan_kernels(), head_.places, memory.data(),
                          stride,         run.count,    run.tile,
                          split,          shared.data()};
  const auto number = [&](const Context& context) {
    return int((context.memory - memory.data()) / stride);
  };
  examples.for_each([&](const Context& context) {
    read_head(run, number(context), context);
  });
  run_steps_together(examples);
  examples.for_each([&](const Context& context) {
    write_head(run, number(context), context, passed);
  });
}

void Plan::run_steps_together(const Examples& examples) const {
  const auto& steps = head_.steps;
  for (size_t begin = 0; begin < steps.size();) {
    size_t end = begin;
    while (end < steps.size() && !steps[end]->as_together()) end++;
    if (end > begin) {
      examples.for_each([&](const Context& context) {
        for (size_t i = begin; i < end; i++) steps[i]->run(context);
      });
    }
    if (end < steps.size()) steps[end]->as_together()->run_together(examples);
    begin = end + 1;
  }
}

// Copies the inputs of an example to where steps find them.
void Plan::read_head(const Run& run, int example,
                     const Context& context) const {
  for (size_t i = 0; i < program_.inputs.size(); i++) {
    const int value = program_.inputs[i];
    if (!is_read_by_head_[value]) continue;
    const Shape& shape = program_.shapes[value];
    float* data = const_cast<float*>(run.inputs[i]) +
                  (run.first + example) * shape.elements();
    copy_rows(context, channels_last(data, shape.h, shape.w, shape.c),
              context.view(value));
    clear_borders(context, value, 0, shape.c);
  }
}

// Copies what an example has made: outputs, and what the tail needs.
void Plan::write_head(const Run& run, int example, const Context& context,
                      float* passed) const {
  for (size_t i = 0; i < program_.outputs.size(); i++) {
    const int value = program_.outputs[i];
    if (made_by_[value] < 0 || made_by_[value] >= head_count_) continue;
    const Shape& shape = program_.shapes[value];
    float* data =
        run.outputs[i] + (run.first + example) * shape.elements();
    copy_rows(context, context.view(value),
              channels_last(data, shape.h, shape.w, shape.c));
  }
  for (const Passed& one : passed_) {
    if (one.input >= 0) continue;
    std::memcpy(passed + example * passed_floats_ + one.start,
                context.view(one.value).data,
                program_.shapes[one.value].c * sizeof(float));
  }
}

void Plan::run_tail(const Run& run, const float* passed, float* memory,
                    bool split) const {
  const auto& all = kernels();
  const Context context{plan_kernels(), tail_.places, memory, run.tile, split};
  for (const Passed& one : passed_) {
    const int channels = program_.shapes[one.value].c;
    const float* from = one.input < 0
                            ? passed + one.start
                            : run.inputs[one.input] + run.first * channels;
    const int64_t stride = one.input < 0 ? passed_floats_ : channels;
    float* to = context.view(one.value).data;
    if (run.tile == 1) {
      std::memcpy(to, from, channels * sizeof(float));
    } else {
      all.to_tile(from, stride, run.count, channels, run.tile, to);
    }
  }
  for (const NewStep& step : tail_.steps) step->run(context);

  for (size_t i = 0; i < program_.outputs.size(); i++) {
    const int value = program_.outputs[i];
    const int channels = int(program_.shapes[value].elements());
    float* to = run.outputs[i] + run.first * channels;
    if (made_by_[value] < head_count_) continue;
    const float* from = context.view(value).data;
    if (run.tile == 1) {
      std::memcpy(to, from, channels * sizeof(float));
    } else {
      all.from_tile(from, run.tile, run.count, channels, to, channels);
    }
  }
}

}  // namespace rigl::plan
