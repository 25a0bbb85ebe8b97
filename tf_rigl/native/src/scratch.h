// Memory for tiles that is kept between calls.
//
// Fresh pages from the system cost more than some of the products that are
// computed in them.
#ifndef TF_RIGL_NATIVE_SCRATCH_H_
#define TF_RIGL_NATIVE_SCRATCH_H_

#include <cstddef>

namespace rigl {

// Floats aligned to 64 bytes, uninitialized, for one call or task.
class Scratch {
 public:
  // Throws std::bad_alloc.
  explicit Scratch(size_t floats);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  float* data() const { return data_; }

 private:
  float* data_;
};

}  // namespace rigl

#endif  // TF_RIGL_NATIVE_SCRATCH_H_
