// Rows of a table, by number.

#include <algorithm>

#include "steps.h"

namespace rigl::plan {
namespace {

struct EmbeddingStep : Step {
  explicit EmbeddingStep(const Operation& one) : one(one), table(one.weight) {}

  void run(const Context& context) const override {
    const View in = context.view(one.inputs[0]);
    const View out = context.view(one.output);
    if (context.places[one.output].is_vector) {
      for (int example = 0; example < context.tile; example++) {
        read_row(in.data[example], out.data + example, context.tile);
      }
      return;
    }
    // What is x of the input is y of the output, and its channels are x.
    const int64_t work = int64_t(out.h) * out.w * out.c;
    for_parts(context, work, out.h * out.w, [&](int begin, int end) {
      for (int i = begin; i < end; i++) {
        const int y = i / out.w, x = i % out.w;
        read_row(in.channel(x)[y * in.step], out.data + y * out.pitch + x,
                 out.channel_stride);
      }
    });
    clear_borders(context, one.output, 0, out.c);
  }

  // Numbers were checked before the run. Another thread may have changed them
  // since, but nothing outside of the table is read.
  void read_row(float number, float* out, int64_t stride) const {
    const bool is_in = number >= 0 && number < float(table.rows);
    const int row = is_in ? int(number) : 0;
    if (table.is_dense()) {
      const float* values = table.values + int64_t(row) * table.places;
      for (int c = 0; c < table.places; c++) out[c * stride] = values[c];
    } else if (table.column_bytes == 2) {
      spread(static_cast<const uint16_t*>(table.cols), row, out, stride);
    } else {
      spread(static_cast<const int32_t*>(table.cols), row, out, stride);
    }
  }

  template <class Column>
  void spread(const Column* columns, int row, float* out,
              int64_t stride) const {
    for (int c = 0; c < table.places; c++) out[c * stride] = 0;
    for (int i = table.row_ptr[row]; i < table.row_ptr[row + 1]; i++) {
      out[columns[i] * stride] = table.values[i];
    }
  }

  const Operation& one;
  const Weight& table;
};

}  // namespace

NewStep make_embedding(const Making&, const Operation& one) {
  return std::make_unique<EmbeddingStep>(one);
}

}  // namespace rigl::plan
