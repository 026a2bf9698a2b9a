package loadgen

import (
	"bufio"
	"bytes"
	"io"
	"net/http/httputil"
	"testing"
)

// What is taken for a body is one for net/http too, with the same content.
func FuzzChunkedBody(f *testing.F) {
	for _, body := range []string{"0\r\n", "2\r\nok\r\n0\r\n", "2;a=b\r\nok\r\n00 \r\n\r\n", "A\r\n0123456789\r\n0\r\n", "1\nx\n0\n", "-1\r\n", ";\r\n", "fffffffffffffffff\r\n"} {
		f.Add([]byte(body))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		var c chunkedBody
		c.reset(bufio.NewReaderSize(bytes.NewReader(body), headerSize))
		got, err := io.ReadAll(&c)
		if err != nil {
			return
		}
		want, err := io.ReadAll(httputil.NewChunkedReader(bytes.NewReader(body)))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("%q is %q, want %q, %v", body, got, want, err)
		}
	})
}
