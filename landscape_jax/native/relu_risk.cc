// The population risk of two-layer ReLU students, its slope, steps down it, and the products of its
// Hessian, for many students, on a CPU.
//
// The formulas are those of gaussian.py and population.py.  With the unit vectors x_i of the
// students' neurons w_i = r_i x_i, and y_j of the teachers' v_j = t_j y_j,
//
//   slope_i = a_i/2π (Σ_j a_j r_j (sin θ_ij x_i + (π − θ_ij) x_j)
//                   − Σ_j b_j t_j (sin φ_ij x_i + (π − φ_ij) y_j)),
//   value   = Σ_i w_i·(slope_i with half of its first sum),
//
// the risk without the constant ½ Σ b_i b_j f(v_i, v_j).  As the neurons move by D_i, with
// g_j = a_j r_j, h_j = b_j t_j, g'_j = a_j x_j·D_j, x'_i = (D_i − (x_i·D_i) x_i)/r_i,
// c'_ij = x'_i·x_j + x_i·x'_j and e'_ij = x'_i·y_j, the slope moves by
//
//   a_i/2π (Σ_j (g'_j sin θ_ij − g_j cos θ_ij c'_ij / sin θ_ij) x_i + g_j sin θ_ij x'_i
//           + (g'_j (π − θ_ij) + g_j c'_ij / sin θ_ij) x_j + g_j (π − θ_ij) x'_j
//         − Σ_j −h_j cos φ_ij e'_ij / sin φ_ij x_i + h_j sin φ_ij x'_i + h_j e'_ij / sin φ_ij y_j).
//
// Where neurons are parallel, the terms with c'/sin θ cancel: 0 is put there.
//
// A register holds the same number of several students, so every operation below is that of one
// student written once, and what a student gets does not depend on its neighbours.
//
// native.py compiles this file, with REAL_BITS, 32 or 64, and RELU_ANGLE, the coefficients of
// gaussian.py.

#include <functional>
#include <iterator>
#include <numeric>

#include "native.h"

namespace {

// θ / sin θ as a polynomial of y = 1 − cos θ on [0, 1].
constexpr Real kAngle[] = {RELU_ANGLE};
constexpr Real kPi = 3.14159265358979323846;
constexpr Real kPerTurn = 0.15915494309189533577;

// The nanoseconds of work that are worth waking another thread.
constexpr size_t kPiece = 10000;

// sin θ and π − θ from cos θ.
inline void SineAndSupplement(Lanes cosine, Lanes& sine, Lanes& supplement) {
  constexpr int degree = std::size(kAngle) - 1;
  const Lanes zero = {};
  Lanes y = 1 - (cosine < 0 ? -cosine : cosine);
  y = y > 8 * kEpsilon ? y : zero;
  sine = Root(y * (2 - y));
  Lanes ratio = zero + kAngle[degree];
#pragma GCC unroll 32
  for (int i = degree - 1; i >= 0; --i) ratio = ratio * y + kAngle[i];
  const Lanes acute = sine * ratio;
  supplement = cosine < 0 ? acute : kPi - acute;
}

// out[i][j] = Σ_q x[i][q] y[j][q] for I rows x and J rows y of length d; `stride` is out's.
template <int I, int J, typename Y>
[[gnu::noinline]] void Dots(const Lanes* x, const Y* y, size_t d, Lanes* out, size_t stride) {
  Lanes sum[I][J] = {};
  for (size_t q = 0; q < d; ++q) {
#pragma GCC unroll 8
    for (int j = 0; j < J; ++j) {
      const auto yj = y[j * d + q];
#pragma GCC unroll 8
      for (int i = 0; i < I; ++i) sum[i][j] += x[i * d + q] * yj;
    }
  }
  for (int i = 0; i < I; ++i)
    for (int j = 0; j < J; ++j) out[i * stride + j] = sum[i][j];
}

// The teacher as unit vectors, and b_j t_j.
struct Teacher {
  std::vector<Real> unit, weight;

  Teacher(const Real* V, const Real* b, size_t k, size_t d) : unit(V, V + k * d), weight(k) {
    for (size_t j = 0; j < k; ++j) {
      Real square = 0;
      for (size_t q = 0; q < d; ++q) square += unit[j * d + q] * unit[j * d + q];
      const Real norm = std::sqrt(square);
      weight[j] = b[j] * norm;
      for (size_t q = 0; q < d; ++q) unit[j * d + q] /= norm == 0 ? 1 : norm;
    }
  }
};

// Students that share a teacher and weights, as many as a register holds.
class Group {
 public:
  Group(size_t n, size_t k, size_t d)
      : n_(n), k_(k), d_(d), memory_(2 * n * d + 2 * n + n * n + kRows * (k + d)) {
    w_ = &memory_.data()->lanes;
    x_ = w_ + n * d;
    weight_ = x_ + n * d;
    along_ = weight_ + n;
    students_ = along_ + n;
    teachers_ = students_ + n * n;
    slope_ = teachers_ + kRows * k;
  }

  // Take students from the given places; lanes without one repeat the last.
  void Load(const Real* const* from, size_t count) { Gather(from, count, w_); }

  // Write the students where they belong.
  void Store(Real* const* to, size_t count) const { Scatter(w_, 0, n_, to, count); }

  // Give the value, and write the slope.
  Lanes Look(const Real* a, const Teacher& teacher, Real* const* to, size_t count) {
    return Slope(a, teacher, [&](size_t i, size_t rows) { Scatter(slope_, i, rows, to, count); });
  }

  // w ← w − rate · slope, in the lanes of the mask.
  void Step(const Real* a, const Teacher& teacher, Lanes rate, Mask mask) {
    Slope(a, teacher, [&](size_t i, size_t rows) {
      Lanes* w = w_ + i * d_;
      for (size_t e = 0; e < rows * d_; ++e) w[e] = mask ? w[e] - rate * slope_[e] : w[e];
    });
  }

 protected:
  // Transpose between students one after another and registers.
  void Gather(const Real* const* from, size_t count, Lanes* to) const {
    const Real* place[kLanes];
    for (size_t l = 0; l < kLanes; ++l) place[l] = from[l < count ? l : count - 1];
    for (size_t e = 0; e < n_ * d_; ++e) {
      Lanes all = {};
#pragma GCC unroll 16
      for (size_t l = 0; l < kLanes; ++l) all[l] = place[l][e];
      to[e] = all;
    }
  }

  void Scatter(const Lanes* rows, size_t first, size_t many, Real* const* to, size_t count) const {
    for (size_t l = 0; l < count; ++l)
      for (size_t e = 0; e < many * d_; ++e) to[l][first * d_ + e] = rows[e][l];
  }

  // Unit vectors x, and a r.
  void Normalise(const Real* a) {
    const Lanes zero = {}, one = zero + 1;
    for (size_t i = 0; i < n_; ++i) {
      Lanes square = zero;
      for (size_t q = 0; q < d_; ++q) square += w_[i * d_ + q] * w_[i * d_ + q];
      const Lanes norm = Root(square);
      weight_[i] = a[i] * norm;
      along_[i] = zero;
      const Lanes inverse = 1 / (norm == 0 ? one : norm);
      for (size_t q = 0; q < d_; ++q) x_[i * d_ + q] = w_[i * d_ + q] * inverse;
    }
  }

  // Give the value; call `sink` with the first and the number of the rows whose slope is there.
  Lanes Slope(const Real* a, const Teacher& teacher,
              const std::function<void(size_t, size_t)>& sink) {
    Normalise(a);
    Lanes total = {};
    Tiles<kRows>(0, n_, [&](auto tile, size_t i) {
      constexpr int rows = tile;
      const Lanes* x = x_ + i * d_;
      // Each pair of students is met once; row i has its part for j < i from row j.
      Tiles<kColumns>(i, n_, [&](auto side, size_t j) {
        Dots<rows, side>(x, x_ + j * d_, d_, students_ + i * n_ + j, n_);
      });
      Tiles<kColumns>(0, k_, [&](auto side, size_t j) {
        Dots<rows, side>(x, &teacher.unit[j * d_], d_, teachers_ + j, k_);
      });
      Lanes beside[rows];
      for (size_t r = 0; r < rows; ++r) {
        PairStudents(i + r);
        beside[r] = PairTeachers(teachers_ + r * k_, teacher.weight.data());
      }
      Tiles<kColumns>(0, d_, [&](auto side, size_t q) {
        constexpr int columns = side;
        Lanes own[rows][columns], other[rows][columns];
        Combine(students_ + i * n_, x_ + q, n_, d_, own);
        Combine(teachers_, &teacher.unit[q], k_, d_, other);
        Lanes sum = {};
        for (size_t r = 0; r < rows; ++r) {
          Lanes part = {};
          for (size_t c = 0; c < columns; ++c) {
            const Lanes here = x[r * d_ + q + c];
            own[r][c] += along_[i + r] * here;
            other[r][c] += beside[r] * here;
            part += here * (Real(0.5) * own[r][c] - other[r][c]);
            slope_[r * d_ + q + c] = a[i + r] * kPerTurn * (own[r][c] - other[r][c]);
          }
          sum += weight_[i + r] * part;
        }
        total += sum;
      });
      sink(i, size_t{rows});
    });
    return total * kPerTurn;
  }

  // Turn the cosines with later students into weighted supplements, this row's and, below, those
  // of its column; add up the weighted sines.
  [[gnu::noinline]] void PairStudents(size_t i) {
    Lanes *row = students_ + i * n_, *column = students_ + i;
    const Lanes weight = weight_[i];
    Lanes along = along_[i];
    row[i] = weight * kPi;
    for (size_t j = i + 1; j < n_; ++j) {
      Lanes sine, supplement;
      SineAndSupplement(row[j], sine, supplement);
      row[j] = weight_[j] * supplement;
      column[j * n_] = weight * supplement;
      along += weight_[j] * sine;
      along_[j] += weight * sine;
    }
    along_[i] = along;
  }

  // The same for the cosines with the teachers.
  [[gnu::noinline]] Lanes PairTeachers(Lanes* row, const Real* weight) const {
    Lanes beside = {};
    for (size_t j = 0; j < k_; ++j) {
      Lanes sine, supplement;
      SineAndSupplement(row[j], sine, supplement);
      row[j] = weight[j] * supplement;
      beside += weight[j] * sine;
    }
    return beside;
  }

  size_t n_, k_, d_;
  std::vector<Register> memory_;
  Lanes *w_, *x_, *weight_, *along_, *students_, *teachers_, *slope_;
};

// A group whose students move, each in a direction of its own.
class MovingGroup : Group {
 public:
  MovingGroup(size_t n, size_t k, size_t d)
      : Group(n, k, d), moving_(2 * n * d + 3 * n + 2 * n * n + kRows * k) {
    direction_ = &moving_.data()->lanes;
    turn_ = direction_ + n * d;  // x'
    growth_ = turn_ + n * d;     // g'
    sines_ = growth_ + n;        // Σ g sin
    turned_ = sines_ + n;        // Σ g' sin − g cos c'/sin
    change_ = turned_ + n;       // c', then the factors of x_j
    own_ = change_ + n * n;      // x_i·x'_j
    beside_ = own_ + n * n;      // e', then the factors of y_j
  }

  using Group::Load;

  // Write ∇²F times the directions.
  void Product(const Real* const* along, const Real* a, const Teacher& teacher, Real* const* to,
               size_t count) {
    Gather(along, count, direction_);
    Normalise(a);
    Turn(a);
    Tiles<kRows>(0, n_, [&](auto tile, size_t i) {
      constexpr int rows = tile;
      const Lanes* x = x_ + i * d_;
      Tiles<kColumns>(0, n_, [&](auto side, size_t j) {
        Dots<rows, side>(x, turn_ + j * d_, d_, own_ + i * n_ + j, n_);
      });
      Tiles<kColumns>(i, n_, [&](auto side, size_t j) {
        Dots<rows, side>(x, x_ + j * d_, d_, students_ + i * n_ + j, n_);
      });
    });
    for (size_t i = 0; i < n_; ++i) TurnStudents(i);
    Tiles<kRows>(0, n_, [&](auto tile, size_t i) {
      constexpr int rows = tile;
      const Lanes *x = x_ + i * d_, *turn = turn_ + i * d_;
      Tiles<kColumns>(0, k_, [&](auto side, size_t j) {
        Dots<rows, side>(x, &teacher.unit[j * d_], d_, teachers_ + j, k_);
        Dots<rows, side>(turn, &teacher.unit[j * d_], d_, beside_ + j, k_);
      });
      Lanes sines[rows], turned[rows];
      for (size_t r = 0; r < rows; ++r) {
        sines[r] = sines_[i + r];
        turned[r] = turned_[i + r];
        TurnTeachers(r, teacher.weight.data(), sines[r], turned[r]);
      }
      Tiles<kColumns>(0, d_, [&](auto side, size_t q) {
        constexpr int columns = side;
        Lanes of_x[rows][columns], of_turn[rows][columns], of_teachers[rows][columns];
        Combine(change_ + i * n_, x_ + q, n_, d_, of_x);
        Combine(students_ + i * n_, turn_ + q, n_, d_, of_turn);
        Combine(beside_, &teacher.unit[q], k_, d_, of_teachers);
        for (size_t r = 0; r < rows; ++r)
          for (size_t c = 0; c < columns; ++c) {
            const size_t e = r * d_ + q + c;
            const Lanes pairs = of_x[r][c] + of_turn[r][c] - of_teachers[r][c];
            slope_[e] = a[i + r] * kPerTurn * (pairs + turned[r] * x[e] + sines[r] * turn[e]);
          }
      });
      Scatter(slope_, i, rows, to, count);
    });
  }

 private:
  // x' and g'.
  void Turn(const Real* a) {
    const Lanes zero = {}, one = zero + 1;
    for (size_t i = 0; i < n_; ++i) {
      const Lanes *x = x_ + i * d_, *w = w_ + i * d_, *direction = direction_ + i * d_;
      Lanes square = zero, growth = zero;
      for (size_t q = 0; q < d_; ++q) {
        square += w[q] * w[q];
        growth += x[q] * direction[q];
      }
      growth_[i] = a[i] * growth;
      sines_[i] = turned_[i] = zero;
      const Lanes inverse = 1 / (square == 0 ? one : Root(square));
      for (size_t q = 0; q < d_; ++q) turn_[i * d_ + q] = inverse * (direction[q] - growth * x[q]);
    }
  }

  // Each pair of students once, from row i < j: the factors of x_j and x'_j in row i, of x_i and
  // x'_i in row j, and the sums.
  [[gnu::noinline]] void TurnStudents(size_t i) {
    const Lanes weight = weight_[i], growth = growth_[i];
    Lanes sines = sines_[i], turned = turned_[i];
    students_[i * n_ + i] = weight * kPi;
    change_[i * n_ + i] = growth * kPi;
    for (size_t j = i + 1; j < n_; ++j) {
      const size_t ij = i * n_ + j, ji = j * n_ + i;
      const Lanes cosine = students_[ij];
      Lanes sine, supplement;
      SineAndSupplement(cosine, sine, supplement);
      const Lanes rate = Over(own_[ij] + own_[ji], sine);
      students_[ij] = weight_[j] * supplement;
      students_[ji] = weight * supplement;
      change_[ij] = growth_[j] * supplement + weight_[j] * rate;
      change_[ji] = growth * supplement + weight * rate;
      sines += weight_[j] * sine;
      sines_[j] += weight * sine;
      turned += growth_[j] * sine - weight_[j] * cosine * rate;
      turned_[j] += growth * sine - weight * cosine * rate;
    }
    sines_[i] = sines;
    turned_[i] = turned;
  }

  // The same for row r of a tile with the teachers, which do not move.
  [[gnu::noinline]] void TurnTeachers(size_t r, const Real* weight, Lanes& sines, Lanes& turned) {
    for (size_t j = 0; j < k_; ++j) {
      const Lanes cosine = teachers_[r * k_ + j];
      Lanes sine, supplement;
      SineAndSupplement(cosine, sine, supplement);
      const Lanes rate = weight[j] * Over(beside_[r * k_ + j], sine);
      beside_[r * k_ + j] = rate;
      sines -= weight[j] * sine;
      turned += cosine * rate;
    }
  }

  static Lanes Over(Lanes change, Lanes sine) {
    const Lanes zero = {}, one = zero + 1;
    const Mask parallel = sine == 0;
    return parallel ? zero : change / (parallel ? one : sine);
  }

  std::vector<Register> moving_;
  Lanes *direction_, *turn_, *growth_, *sines_, *turned_, *change_, *own_, *beside_;
};

// The leading axes of an operand, which are a batch: all ones where the batch shares it.
struct Batch {
  std::vector<int64_t> lead;

  Batch(ffi::Span<const int64_t> dims, size_t own) : lead(dims.begin(), dims.end() - own) {}

  bool shared() const {
    return std::all_of(lead.begin(), lead.end(), [](int64_t n) { return n == 1; });
  }

  // Where the operand's part for one run of the whole batch begins, in parts.
  size_t Place(size_t run, const Batch& whole) const {
    size_t place = 0, stride = 1;
    for (size_t axis = lead.size(); axis-- > 0;) {
      const size_t index = run % whole.lead[axis];
      run /= whole.lead[axis];
      if (lead[axis] != 1) place += index * stride;
      stride *= lead[axis];
    }
    return place;
  }
};

using Places = std::vector<size_t>;

// The runs of a call: students, teachers and their weights, each with its batch.
struct Runs {
  const Argument &W, &V, &a, &b;
  size_t n, d, k;
  Batch of_W, of_V, of_a, of_b, whole;

  Runs(const Argument& W, const Argument& V, const Argument& a, const Argument& b,
       ffi::Span<const int64_t> batch)
      : W(W), V(V), a(a), b(b),
        n(W.dimensions()[W.dimensions().size() - 2]),
        d(W.dimensions().back()),
        k(V.dimensions()[V.dimensions().size() - 2]),
        of_W(W.dimensions(), 2), of_V(V.dimensions(), 2), of_a(a.dimensions(), 1),
        of_b(b.dimensions(), 1), whole(batch, 0) {}

  // Call work(group, runs, count, a, teacher) for all runs in the given order, in groups of those
  // that share teacher and weights; `passes` is how often a run's pairs are gone through.
  template <typename G, typename F>
  void InGroups(ffi::ThreadPool& pool, const Places& order, size_t passes, F work) const {
    const bool together = of_V.shared() && of_a.shared() && of_b.shared();
    const size_t size = together ? kLanes : 1;
    const size_t groups = (order.size() + size - 1) / size;
    // About the nanoseconds of a group; a piece is worth waking a thread.
    const size_t cost = passes * n * (n + k) * (d + 12) + 1;
    const size_t each = 1 + kPiece / cost;
    const Teacher shared(V.typed_data(), b.typed_data(), together ? k : 0, d);

    InPieces(pool, (groups + each - 1) / each, [this, &shared, &order, together, each, size, work](size_t piece) {
      G group(n, k, d);
      const size_t end = std::min(order.size(), (piece + 1) * each * size);
      for (size_t first = piece * each * size; first < end; first += size) {
        const size_t* runs = &order[first];
        const size_t count = std::min(size, end - first);
        const Real* weights = a.typed_data() + of_a.Place(*runs, whole) * n;
        const Real* from[kLanes];
        for (size_t l = 0; l < count; ++l) from[l] = Part(W, of_W, runs[l]);
        group.Load(from, count);
        if (together) {
          work(group, runs, count, weights, shared);
        } else {
          const Teacher own(V.typed_data() + of_V.Place(*runs, whole) * k * d,
                            b.typed_data() + of_b.Place(*runs, whole) * k, k, d);
          work(group, runs, count, weights, own);
        }
      }
    });
  }

  // Where an (n, d) operand or result of a run begins.
  const Real* Part(const Argument& operand, const Batch& batch, size_t run) const {
    return operand.typed_data() + batch.Place(run, whole) * n * d;
  }

  std::array<Real*, kLanes> Parts(Result& result, const size_t* runs, size_t count) const {
    std::array<Real*, kLanes> places = {};
    for (size_t l = 0; l < count; ++l) places[l] = result->typed_data() + runs[l] * n * d;
    return places;
  }
};

Places InOrder(size_t runs) {
  Places order(runs);
  std::iota(order.begin(), order.end(), size_t{0});
  return order;
}

ffi::Error Risk(ffi::ThreadPool pool, Argument W, Argument V, Argument a, Argument b, Result slope,
                Result value) {
  const Runs all(W, V, a, b, value->dimensions());
  const auto work = [&](Group& group, const size_t* runs, size_t count, const Real* weights,
                        const Teacher& teacher) {
    const Lanes values = group.Look(weights, teacher, all.Parts(slope, runs, count).data(), count);
    for (size_t l = 0; l < count; ++l) value->typed_data()[runs[l]] = values[l];
  };
  all.InGroups<Group>(pool, InOrder(value->element_count()), 1, work);
  return ffi::Error::Success();
}

// Go `steps` steps w ← w − rate · slope, of each run as many as it asks for, and look.
ffi::Error Descend(ffi::ThreadPool pool, Argument W, Argument V, Argument a, Argument b,
                   Argument rate, ffi::Buffer<ffi::S32> steps, Result end, Result slope,
                   Result value) {
  const Runs all(W, V, a, b, value->dimensions());
  const Batch of_rate(rate.dimensions(), 0), of_steps(steps.dimensions(), 0);
  const auto steps_of = [&](size_t run) {
    return steps.typed_data()[of_steps.Place(run, all.whole)];
  };
  // Runs that do not move do not take the place of one that does.
  Places order = InOrder(value->element_count());
  std::stable_partition(order.begin(), order.end(), [&](size_t run) { return steps_of(run) > 0; });
  int most = 0;
  for (size_t run : order) most = std::max(most, steps_of(run));

  const auto work = [&](Group& group, const size_t* runs, size_t count, const Real* weights,
                        const Teacher& teacher) {
    Lanes rates = {}, left = {};
    int last = 0;
    for (size_t l = 0; l < count; ++l) {
      rates[l] = rate.typed_data()[of_rate.Place(runs[l], all.whole)];
      left[l] = steps_of(runs[l]);
      last = std::max(last, steps_of(runs[l]));
    }
    for (int step = 0; step < last; ++step) {
      group.Step(weights, teacher, rates, left > 0);
      left -= 1;
    }
    group.Store(all.Parts(end, runs, count).data(), count);
    const Lanes values = group.Look(weights, teacher, all.Parts(slope, runs, count).data(), count);
    for (size_t l = 0; l < count; ++l) value->typed_data()[runs[l]] = values[l];
  };
  all.InGroups<Group>(pool, order, 1 + most, work);
  return ffi::Error::Success();
}

ffi::Error Product(ffi::ThreadPool pool, Argument W, Argument V, Argument a, Argument b,
                   Argument along, Result product) {
  const auto dims = product->dimensions();
  const Runs all(W, V, a, b, ffi::Span<const int64_t>(dims.begin(), dims.size() - 2));
  const Batch of_along(along.dimensions(), 2);
  const auto work = [&](MovingGroup& group, const size_t* runs, size_t count, const Real* weights,
                        const Teacher& teacher) {
    const Real* directions[kLanes];
    for (size_t l = 0; l < count; ++l) directions[l] = all.Part(along, of_along, runs[l]);
    group.Product(directions, weights, teacher, all.Parts(product, runs, count).data(), count);
  };
  all.InGroups<MovingGroup>(pool, InOrder(product->element_count() / (all.n * all.d)), 2, work);
  return ffi::Error::Success();
}

auto Bind() {
  return ffi::Ffi::Bind()
      .Ctx<ffi::ThreadPool>()
      .Arg<Argument>()
      .Arg<Argument>()
      .Arg<Argument>()
      .Arg<Argument>();
}

}  // namespace

XLA_FFI_DEFINE_HANDLER_SYMBOL(relu_risk, Risk, Bind().Ret<Argument>().Ret<Argument>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(relu_descend, Descend,
                              Bind()
                                  .Arg<Argument>()
                                  .Arg<ffi::Buffer<ffi::S32>>()
                                  .Ret<Argument>()
                                  .Ret<Argument>()
                                  .Ret<Argument>());
XLA_FFI_DEFINE_HANDLER_SYMBOL(relu_product, Product, Bind().Arg<Argument>().Ret<Argument>());
