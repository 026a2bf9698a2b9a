package measure

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/bits"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Encode returns h as HdrHistogram's logs hold it: V2, compressed, in base64.
// The values are nanoseconds. The format has no room for what h counts as
// Saturated: those values are in it as MaxLatency. An empty histogram has an
// encoding too.
func (h *Histogram) Encode() ([]byte, error) {
	switch {
	case h.dense:
		return h.many.Encode(hdrhistogram.V2CompressedEncodingCookieBase)
	case h.few != nil:
		return h.few.Encode()
	}
	return newPacked().Encode()
}

// DecodeHistogram reads what Encode or another implementation of HdrHistogram
// wrote of integer values, and takes those for nanoseconds.
//
// A histogram of another range or resolution is brought into ours: each of its
// counts is recorded at the middle of the values that it stands for. Values
// outside 1 µs to 60 s saturate; those above are counted in Saturated.
//
// It needs memory for the input and one histogram, whatever the input says.
func DecodeHistogram(encoded []byte) (*Histogram, error) {
	h, err := decode(encoded)
	if err != nil {
		return nil, fmt.Errorf("decode histogram: %w", err)
	}
	return h, nil
}

// decode does what hdrhistogram.Decode does. That one first allocates all
// counts of the range and resolution that the input claims to have, which is
// 50 MB for a line of a hundred bytes, and hides which values a count stands
// for. This one records each count as it is inflated.
func decode(encoded []byte) (*Histogram, error) {
	compressed, err := unwrap(encoded)
	if err != nil {
		return nil, err
	}
	inflated, err := zlib.NewReader(bytes.NewReader(compressed))
	if err != nil {
		return nil, err
	}
	g, size, err := readHeader(inflated)
	if err != nil {
		return nil, fmt.Errorf("header: %w", err)
	}
	payload := &io.LimitedReader{R: inflated, N: size}
	h, err := g.readCounts(bufio.NewReader(payload))
	if err != nil {
		return nil, fmt.Errorf("counts: %w", err)
	}
	if payload.N > 0 {
		return nil, fmt.Errorf("counts end %d bytes early", payload.N)
	}
	return h, expectEnd(inflated)
}

// unwrap returns the compressed part of an encoded histogram.
func unwrap(encoded []byte) ([]byte, error) {
	raw, err := base64.StdEncoding.AppendDecode(nil, encoded)
	if err != nil {
		return nil, err
	}
	if len(raw) < 8 {
		return nil, fmt.Errorf("%d bytes are too few for a histogram", len(raw))
	}
	if err := checkCookie(raw, hdrhistogram.V2CompressedEncodingCookieBase); err != nil {
		return nil, err
	}
	size := binary.BigEndian.Uint32(raw[4:])
	if raw = raw[8:]; uint64(size) > uint64(len(raw)) {
		return nil, fmt.Errorf("%d of %d bytes are there: the end is cut off", len(raw), size)
	}
	return raw[:size], nil // some writers leave the rest of their buffer behind it
}

// checkCookie tells V2 from other versions. The second lowest digit is the
// writer's word size, which V2 does not use.
func checkCookie(raw []byte, want int32) error {
	if got := int32(binary.BigEndian.Uint32(raw)); got&^0xf0 != want {
		return fmt.Errorf("cookie %#08x is not that of a V2 histogram of integers", uint32(got))
	}
	return nil
}

// readHeader reads what precedes the counts, and returns the geometry and how
// many bytes of counts follow. The normalizing index offset and the conversion
// ratio say how the writer kept the counts, not what they mean; the highest
// value is that of the highest count anyway.
func readHeader(r io.Reader) (geometry, int64, error) {
	var header [hdrhistogram.ENCODING_HEADER_SIZE]byte
	if _, err := io.ReadFull(r, header[:]); err != nil {
		return geometry{}, 0, err
	}
	if err := checkCookie(header[:], hdrhistogram.V2EncodingCookieBase); err != nil {
		return geometry{}, 0, err
	}
	size := int32(binary.BigEndian.Uint32(header[4:]))
	if size < 0 {
		return geometry{}, 0, fmt.Errorf("%d bytes of counts", size)
	}
	digits := int32(binary.BigEndian.Uint32(header[12:]))
	lowest := int64(binary.BigEndian.Uint64(header[16:]))
	g, err := newGeometry(lowest, digits)
	return g, int64(size), err
}

// expectEnd reads to the end, where zlib compares its checksum.
func expectEnd(inflated io.Reader) error {
	n, err := io.ReadFull(inflated, make([]byte, 1))
	if n > 0 {
		return errors.New("there is more after the counts")
	}
	if errors.Is(err, io.EOF) {
		return nil
	}
	return err
}

// geometry tells which values the counts of a histogram stand for. The counts
// are those of 2<<half steps of 1<<unit ns each, then of 1<<half steps of twice
// that, and so on.
type geometry struct{ unit, half int }

// newGeometry is that of a histogram with this lowest value and this number of
// significant digits, 0 to 5.
func newGeometry(lowest int64, digits int32) (geometry, error) {
	if digits < 0 || digits > 5 {
		return geometry{}, fmt.Errorf("%d significant digits: want 0 to 5", digits)
	}
	steps := uint64(2) // exact to this many of the lowest value
	for range digits {
		steps *= 10
	}
	g := geometry{
		unit: bits.Len64(uint64(max(lowest, 1))) - 1, // old writers have 0 and mean 1
		half: bits.Len64(steps-1) - 1,
	}
	if g.unit+g.half > 61 {
		return geometry{}, fmt.Errorf("lowest value %d is too large for %d significant digits", lowest, digits)
	}
	return g, nil
}

// counts is the number of counts until 1<<63: some six million at most.
func (g geometry) counts() int64 { return int64(64-g.unit-g.half) << g.half }

// values returns the lowest of the values that count i stands for, and how
// many they are. i is less than counts.
func (g geometry) values(i int64) (lowest, width int64) {
	shift, step := int(i>>g.half)-1, i
	if shift < 0 {
		shift = 0
	} else {
		step = i - int64(shift)<<g.half
	}
	return step << (g.unit + shift), 1 << (g.unit + shift)
}

// readCounts reads counts until the end of r. A negative one is a number of
// counts that are zero.
func (g geometry) readCounts(r io.ByteReader) (*Histogram, error) {
	h := new(Histogram)
	for i := int64(0); ; i++ {
		n, err := readZigZag(r)
		if errors.Is(err, io.EOF) {
			return h, nil
		}
		if err != nil {
			return nil, err
		}
		left := g.counts() - i
		if left <= 0 || n < -left {
			return nil, errors.New("there are more than the resolution has")
		}
		if n < 0 {
			i += -n - 1
			continue
		}
		lowest, width := g.values(i)
		if err := h.recordMany(lowest, width, n); err != nil {
			return nil, err
		}
	}
}

// recordMany counts n latencies, each one of the width values from lowest on.
func (h *Histogram) recordMany(lowest, width, n int64) error {
	if n == 0 {
		return nil
	}
	if lowest > int64(MaxLatency) {
		return h.record(time.Duration(lowest), n)
	}
	// The middle of those that MaxLatency is one of is above it already.
	return h.record(min(time.Duration(lowest+width/2), MaxLatency), n)
}

// readZigZag reads a number of one to nine bytes: seven bits in each, the
// lowest first, and eight in the ninth; the lowest bit is the sign. The error
// is io.EOF only before the first byte.
func readZigZag(r io.ByteReader) (int64, error) {
	var u uint64
	for shift := 0; ; shift += 7 {
		b, err := r.ReadByte()
		if errors.Is(err, io.EOF) && shift > 0 {
			return 0, io.ErrUnexpectedEOF
		}
		if err != nil {
			return 0, err
		}
		last := b < 0x80 || shift == 56
		if shift < 56 {
			b &= 0x7f
		}
		u |= uint64(b) << shift
		if last {
			return int64(u>>1) ^ -int64(u&1), nil
		}
	}
}
