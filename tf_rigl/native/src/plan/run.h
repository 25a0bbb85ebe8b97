// A plan that is loaded, and how it is run.
#ifndef TF_RIGL_NATIVE_PLAN_RUN_H_
#define TF_RIGL_NATIVE_PLAN_RUN_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "buffers.h"
#include "examples.h"
#include "steps.h"

namespace rigl::plan {

// Bytes that stay where they are while a plan is used.
class Bytes {
 public:
  virtual ~Bytes() = default;
  virtual const uint8_t* data() const = 0;
  virtual size_t size() const = 0;

  // They are needed less from now on: what can be read again takes no memory.
  virtual void rest() const {}
};

class Plan {
 public:
  // Throws Refused, or std::bad_alloc.
  explicit Plan(std::unique_ptr<Bytes> bytes);

  const Program& program() const { return program_; }
  int64_t buffer_bytes() const;

  // How tables are laid out, a character for each that the plan may make.
  std::string layouts() const;

  // Has tables laid out so, unless they are made already. Throws Refused.
  void set_layouts(const std::string& layouts) const;

  // Throws Refused, if an input is no number of a row of its table, or
  // std::bad_alloc.
  void run(const float* const* inputs, float* const* outputs,
           int64_t batch) const;

 private:
  // Steps with the places of their values.
  struct Part {
    std::vector<Place> places;
    std::vector<NewStep> steps;
    int64_t floats = 0;  // of the tail, times the width of the tile
    // Of steps that compute examples together, times the width of the tile.
    int64_t shared_floats = 0;
    bool has_together = false;
  };

  // A value that passes from the head, or the inputs, to the tail.
  struct Passed {
    int value;
    int input;      // its number, or -1 if the head makes it
    int64_t start;  // among what the head makes for one example
  };

  struct Run {
    const float* const* inputs;
    float* const* outputs;
    int64_t first;  // example
    int count;
    int tile;
  };

  std::vector<const VectorProduct*> products() const;
  void check_numbers(const float* const* inputs, int64_t batch) const;
  void make_part(Part& part, int begin, int end, bool is_head);
  void find_passed();
  void copy_input(int value, const float* const* inputs, float* output,
                  int64_t batch) const;
  void run_block(const Run& run, bool split) const;
  void run_heads(const Run& run, float* passed, bool split) const;
  void run_head(const Run& run, int example, float* memory, float* passed,
                bool split) const;
  void run_heads_together(const Run& run, float* passed, bool split) const;
  void run_steps_together(const Examples& examples) const;
  void read_head(const Run& run, int example, const Context& context) const;
  void write_head(const Run& run, int example, const Context& context,
                  float* passed) const;
  void run_tail(const Run& run, const float* passed, float* memory,
                bool split) const;

  const std::unique_ptr<Bytes> bytes_;
  const Program program_;
  const int head_count_;
  Part head_, tail_;
  std::vector<int> made_by_;  // step of each value; -1 for inputs
  std::vector<bool> is_read_by_head_;
  std::vector<Passed> passed_;
  int64_t passed_floats_ = 0;  // of one example
  int narrowest_ = 4, widest_ = kWidestTile;
  mutable Buffers buffers_;
};

}  // namespace rigl::plan

#endif  // TF_RIGL_NATIVE_PLAN_RUN_H_
