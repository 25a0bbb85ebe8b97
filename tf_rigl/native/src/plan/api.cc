// The C interface of plans, and the bytes that they read.

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <new>
#include <string>

#include "run.h"
#include "rigl_plan.h"

struct RiglPlan {
  explicit RiglPlan(std::unique_ptr<rigl::plan::Bytes> bytes)
      : plan(std::move(bytes)) {}

  rigl::plan::Plan plan;
};

namespace rigl::plan {
namespace {

class MappedFile : public Bytes {
 public:
  explicit MappedFile(const char* path) {
    const int file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0) fail();
    struct stat status;
    if (fstat(file, &status) != 0) {
      close(file);
      fail();
    }
    size_ = size_t(status.st_size);
    // Of no bytes, there is no map.
    void* map = size_ == 0 ? nullptr
                           : mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, file,
                                  0);
    close(file);
    if (map == MAP_FAILED) fail();
    data_ = map;
  }

  ~MappedFile() override {
    if (data_) munmap(data_, size_);
  }

  const uint8_t* data() const override {
    return static_cast<const uint8_t*>(data_);
  }
  size_t size() const override { return size_; }

  // Most weights have been copied, in the order in which they are computed.
  void rest() const override { madvise(data_, size_, MADV_DONTNEED); }

 private:
  [[noreturn]] static void fail() {
    throw Refused{std::string("The file cannot be read: ") +
                  std::strerror(errno) + "."};
  }

  void* data_ = nullptr;
  size_t size_ = 0;
};

class CopiedBytes : public Bytes {
 public:
  CopiedBytes(const void* data, size_t size) : size_(size) {
    data_ = std::aligned_alloc(64, (size + 64) / 64 * 64);
    if (!data_) throw std::bad_alloc();
    if (size) std::memcpy(data_, data, size);
  }

  ~CopiedBytes() override { std::free(data_); }

  const uint8_t* data() const override {
    return static_cast<const uint8_t*>(data_);
  }
  size_t size() const override { return size_; }

 private:
  void* data_;
  const size_t size_;
};

// Calls function(), and returns what went wrong.
template <class Function>
const char* guarded(const Function& function) noexcept {
  static thread_local std::string message;
  try {
    function();
    return nullptr;
  } catch (const Refused& refused) {
    try {
      message = refused.reason;
      return message.c_str();
    } catch (...) {
      return "The memory is not enough.";
    }
  } catch (...) {
    return "The memory is not enough.";
  }
}

template <class Function>
const char* open_plan(RiglPlan** plan, const Function& make_bytes) {
  *plan = nullptr;
  return guarded([&] { *plan = new RiglPlan(make_bytes()); });
}

bool is_in(const std::vector<int>& values, int32_t number) {
  return number >= 0 && size_t(number) < values.size();
}

int32_t shape_of(const Program& program, const std::vector<int>& values,
                 int32_t number, int32_t* dimensions) {
  if (!is_in(values, number)) return 0;
  const Shape& shape = program.shapes[values[number]];
  const int32_t all[] = {shape.h, shape.w, shape.c};
  for (int i = 0; i < shape.rank; i++) dimensions[i] = all[3 - shape.rank + i];
  return shape.rank;
}

}  // namespace
}  // namespace rigl::plan

const char* rigl_plan_open(const char* path, RiglPlan** plan) {
  return rigl::plan::open_plan(plan, [&] {
    return std::make_unique<rigl::plan::MappedFile>(path);
  });
}

const char* rigl_plan_open_memory(const void* data, size_t bytes,
                                  RiglPlan** plan) {
  return rigl::plan::open_plan(plan, [&] {
    return std::make_unique<rigl::plan::CopiedBytes>(data, bytes);
  });
}

void rigl_plan_close(RiglPlan* plan) { delete plan; }

int32_t rigl_plan_inputs(const RiglPlan* plan) {
  return int32_t(plan->plan.program().inputs.size());
}

int32_t rigl_plan_outputs(const RiglPlan* plan) {
  return int32_t(plan->plan.program().outputs.size());
}

const char* rigl_plan_input_name(const RiglPlan* plan, int32_t number) {
  const auto& program = plan->plan.program();
  return rigl::plan::is_in(program.inputs, number)
             ? program.input_names[number].c_str()
             : nullptr;
}

const char* rigl_plan_output_name(const RiglPlan* plan, int32_t number) {
  const auto& program = plan->plan.program();
  return rigl::plan::is_in(program.outputs, number)
             ? program.output_names[number].c_str()
             : nullptr;
}

int32_t rigl_plan_input_shape(const RiglPlan* plan, int32_t number,
                              int32_t shape[RIGL_PLAN_DIMENSIONS]) {
  const auto& program = plan->plan.program();
  return rigl::plan::shape_of(program, program.inputs, number, shape);
}

int32_t rigl_plan_output_shape(const RiglPlan* plan, int32_t number,
                               int32_t shape[RIGL_PLAN_DIMENSIONS]) {
  const auto& program = plan->plan.program();
  return rigl::plan::shape_of(program, program.outputs, number, shape);
}

int32_t rigl_plan_input_rows(const RiglPlan* plan, int32_t number) {
  const auto& program = plan->plan.program();
  if (!rigl::plan::is_in(program.inputs, number)) return 0;
  int32_t rows = 0;
  for (const auto& one : program.operations) {
    if (one.kind != rigl::plan::Kind::kEmbedding) continue;
    if (one.inputs[0] != program.inputs[number]) continue;
    rows = rows ? std::min(rows, one.weight.rows) : one.weight.rows;
  }
  return rows;
}

int64_t rigl_plan_buffer_bytes(const RiglPlan* plan) {
  return plan->plan.buffer_bytes();
}

size_t rigl_plan_tuning(const RiglPlan* plan, char* tuning, size_t bytes) {
  std::string found;
  if (rigl::plan::guarded([&] { found = plan->plan.layouts(); })) return 0;
  if (bytes > 0) {
    const size_t length = std::min(found.size(), bytes - 1);
    std::memcpy(tuning, found.data(), length);
    tuning[length] = 0;
  }
  return found.size();
}

const char* rigl_plan_tune(RiglPlan* plan, const char* tuning) {
  return rigl::plan::guarded([&] { plan->plan.set_layouts(tuning); });
}

const char* rigl_plan_run(RiglPlan* plan, const float* const* inputs,
                          float* const* outputs, int64_t batch,
                          int32_t threads) {
  if (batch < 0) return "The batch must not be negative.";
  if (batch == 0) return nullptr;
  return rigl::plan::guarded([&] {
    const rigl::ThreadLimit limit(threads);
    plan->plan.run(inputs, outputs, batch);
  });
}
