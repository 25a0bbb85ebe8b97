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

// Arrays that are taken one after the other from one piece of scratch.
class Arena {
 public:
  // Room for so many bytes in at most 16 arrays.
  explicit Arena(size_t bytes) : memory_((bytes + 16 * 64) / sizeof(float)) {
    next_ = reinterpret_cast<char*>(memory_.data());
  }

  template <class T>
  T* take(size_t size) {
    T* array = reinterpret_cast<T*>(next_);
    next_ += (size * sizeof(T) + 63) / 64 * 64;
    return array;
  }

 private:
  Scratch memory_;
  char* next_;
};

}  // namespace rigl

#endif  // TF_RIGL_NATIVE_SCRATCH_H_
