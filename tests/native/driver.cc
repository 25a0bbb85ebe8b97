// Calls every function of rigl.h with random weights, for sanitizers: without
// Python or TensorFlow, whose own allocators and threads would hide errors.
//
// Arrays are allocated exactly, so that each access beyond one is found.
// Usage: driver LEVEL THREADS CASES

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <random>
#include <thread>
#include <vector>

#include "rigl.h"

namespace {

template <class T>
struct Array {
  explicit Array(size_t size) : data(new T[size]()), size(size) {}
  T& operator[](size_t i) const { return data.get()[i]; }
  T* get() const { return data.get(); }

  std::unique_ptr<T[]> data;
  size_t size;
};

void require(bool holds, const char* what) {
  if (holds) return;
  std::fprintf(stderr, "failed: %s\n", what);
  std::abort();
}

void check(const char* error) { require(!error, error ? error : ""); }

template <class Column>
struct Index {
  Index(int inputs, int outputs, int connections)
      : row_ptr(outputs + 1),
        t_ptr(inputs + 1),
        t_perm(connections),
        cols(connections),
        t_cols(connections),
        inputs(inputs),
        outputs(outputs),
        connections(connections) {}

  RiglNewIndex to_write() const {
    return {inputs,        outputs,        connections,
            sizeof(Column), sizeof(Column), row_ptr.get(),
            cols.get(),    t_ptr.get(),    t_cols.get(),
            t_perm.get()};
  }

  RiglIndex to_read() const {
    return {inputs,        outputs,        connections,
            sizeof(Column), sizeof(Column), row_ptr.get(),
            cols.get(),    t_ptr.get(),    t_cols.get(),
            t_perm.get()};
  }

  Array<int32_t> row_ptr, t_ptr, t_perm;
  Array<Column> cols, t_cols;
  int inputs, outputs, connections;
};

using Random = std::mt19937;

Array<float> numbers(Random& random, size_t size) {
  Array<float> result(size);
  std::normal_distribution<float> normal;
  for (size_t i = 0; i < size; i++) result[i] = normal(random);
  return result;
}

// Compares one output, chosen at random, with its sum in double precision.
template <class Column>
void check_product(Random& random, const Index<Column>& index,
                   const Array<float>& x, const Array<float>& values,
                   const Array<float>& bias, const Array<float>& y, int batch) {
  if (batch == 0) return;
  const int b = int(random() % batch), n = int(random() % index.outputs);
  double sum = bias[n];
  for (int j = index.row_ptr[n]; j < index.row_ptr[n + 1]; j++) {
    sum += double(values[j]) * x[size_t(b) * index.inputs + index.cols[j]];
  }
  const float found = y[size_t(b) * index.outputs + n];
  require(std::fabs(found - sum) < 1e-3, "product");
}

template <class Column>
void run_case(unsigned seed) {
  Random random(seed);
  const int inputs = 1 + int(random() % 150), outputs = 1 + int(random() % 150);
  const int batch = int(random() % 140);
  const double density = double(random() % 101) / 100;

  std::vector<int64_t> list;
  for (int64_t i = 0; i < int64_t(inputs) * outputs; i++) {
    if (double(random()) / 4294967296.0 < density) list.push_back(i);
  }
  if (seed % 2) std::shuffle(list.begin(), list.end(), random);
  const int connections = int(list.size());
  Array<int64_t> positions(connections);
  std::copy(list.begin(), list.end(), positions.get());

  Index<Column> index(inputs, outputs, connections);
  Array<int32_t> order(connections);
  const RiglNewIndex to_write = index.to_write();
  check(rigl_reindex(positions.get(), &to_write, order.get()));
  const RiglIndex to_read = index.to_read();
  check(rigl_check_index(&to_read));
  check(rigl_positions(&to_read, positions.get()));

  const auto x = numbers(random, size_t(batch) * inputs);
  const auto dy = numbers(random, size_t(batch) * outputs);
  const auto values = numbers(random, connections);
  const auto bias = numbers(random, outputs);
  Array<float> y(size_t(batch) * outputs), dx(size_t(batch) * inputs);
  Array<float> dvalues(connections), dbias(outputs);
  check(rigl_spmm(&to_read, values.get(), bias.get(), x.get(), batch, y.get()));
  check_product(random, index, x, values, bias, y, batch);
  check(rigl_spmm_grad(&to_read, values.get(), x.get(), dy.get(), batch,
                       seed % 3 ? dx.get() : nullptr, dvalues.get(),
                       dbias.get()));

  const int count = int(random() % (connections + 1)) + int(seed % 7);
  Array<int64_t> candidates(count);
  Array<float> scores(count);
  check(rigl_grow(&to_read, x.get(), dy.get(), batch, count, candidates.get(),
                  scores.get()));
  Index<Column> updated(inputs, outputs, connections);
  const RiglNewIndex to_update = updated.to_write();
  // Candidates that are -1 have a score of -1, which is finite.
  check(rigl_drop_and_grow(&to_read, values.get(), dvalues.get(),
                           candidates.get(), scores.get(), count, count,
                           &to_update, order.get()));
  const RiglIndex new_to_read = updated.to_read();
  check(rigl_check_index(&new_to_read));

  // One damaged entry anywhere is an error or harmless.
  int32_t* arrays[] = {index.row_ptr.get(), index.t_ptr.get(),
                       index.t_perm.get()};
  const size_t sizes[] = {index.row_ptr.size, index.t_ptr.size,
                          index.t_perm.size};
  const int which = int(random() % 5);
  const auto any = int32_t(random());
  if (which < 3 && sizes[which]) {
    arrays[which][random() % sizes[which]] = any;
  } else if (connections) {
    (which == 3 ? index.cols : index.t_cols)[random() % connections] =
        Column(any);
  }
  rigl_check_index(&to_read);
  rigl_positions(&to_read, positions.get());
  rigl_spmm(&to_read, values.get(), bias.get(), x.get(), batch, y.get());
  rigl_spmm_grad(&to_read, values.get(), x.get(), dy.get(), batch, dx.get(),
                 dvalues.get(), dbias.get());
  rigl_grow(&to_read, x.get(), dy.get(), batch, count, candidates.get(),
            scores.get());
  rigl_drop_and_grow(&to_read, values.get(), dvalues.get(), candidates.get(),
                     scores.get(), count, count, &to_update, order.get());
}

// A convolution of any size, and then with one damaged number.
template <class Column>
void run_convolution(unsigned seed) {
  Random random(seed);
  const auto any = [&](int most) { return 1 + int32_t(random() % most); };
  RiglConvolution c{any(12), any(12), any(20), any(4), any(4), any(9), any(30),
                    any(3),  any(3),  any(3),  any(3), any(4) - 1, any(4) - 1};
  const int inputs = c.window_height * c.window_width * c.channels;
  const int outputs = any(70), batch = int(random() % 4);

  std::vector<int64_t> list;
  for (int64_t i = 0; i < int64_t(inputs) * outputs; i++) {
    if (random() % 5 < seed % 6) list.push_back(i);
  }
  const int connections = int(list.size());
  Array<int64_t> positions(connections);
  std::copy(list.begin(), list.end(), positions.get());
  Index<Column> index(inputs, outputs, connections);
  Array<int32_t> order(connections);
  const RiglNewIndex to_write = index.to_write();
  check(rigl_reindex(positions.get(), &to_write, order.get()));
  const RiglIndex to_read = index.to_read();

  const size_t x_size = size_t(batch) * c.height * c.width * c.channels;
  const size_t y_size = size_t(batch) * c.out_height * c.out_width * outputs;
  const auto x = numbers(random, x_size), dy = numbers(random, y_size);
  const auto values = numbers(random, connections);
  const auto bias = numbers(random, outputs);
  Array<float> y(y_size), dx(x_size), dvalues(connections), dbias(outputs);
  const int count = int(random() % 50);
  Array<int64_t> candidates(count);
  Array<float> scores(count);
  const auto call = [&](const RiglConvolution& given) -> const char* {
    if (const char* error =
            rigl_convolve(&to_read, &given, values.get(), bias.get(), x.get(),
                          batch, y.get())) {
      return error;
    }
    check(rigl_convolve_grad(&to_read, &given, values.get(), x.get(), dy.get(),
                             batch, seed % 3 ? dx.get() : nullptr,
                             dvalues.get(), dbias.get()));
    check(rigl_convolve_grow(&to_read, &given, x.get(), dy.get(), batch, count,
                             candidates.get(), scores.get()));
    return nullptr;
  };
  check(call(c));

  // Other shifts and distances see other pixels, or none, but no others' memory.
  int32_t* const changed[] = {&c.row_stride, &c.column_stride, &c.row_dilation,
                              &c.column_dilation, &c.top, &c.left};
  *changed[random() % 6] = any(40) - 3;
  call(c);
  *changed[random() % 6] = -int32_t(random() % 1000) - 1;
  require(call(c), "a negative size is an error");
}

}  // namespace

int main(int, char** arguments) {
  rigl_cap_level(std::atoi(arguments[1]));
  rigl_set_threads(std::atoi(arguments[2]));
  const int cases = std::atoi(arguments[3]);

  // Two at once, as operations of one step may be.
  std::thread other([&] {
    for (int i = 0; i < cases; i++) {
      run_case<int32_t>(unsigned(2 * i + 1));
      run_convolution<int32_t>(unsigned(2 * i + 1));
    }
  });
  for (int i = 0; i < cases; i++) {
    run_case<uint16_t>(unsigned(2 * i));
    run_convolution<uint16_t>(unsigned(2 * i));
  }
  other.join();
  std::printf("%s: %d cases\n", rigl_level_name(), 2 * cases);
}
