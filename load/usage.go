package load

const usage = `Usage: serin load [flags] URL [URL ...]

Sends HTTP or gRPC requests and measures what comes back. Several URLs get the
same load in the same seconds and are compared with the first.

hey's flags, which mean the same:
  -n N            requests in all (200); each worker sends n/c of them
  -c N            workers, each waiting for its answer (50); with -rate, the
                  connections at most
  -q RATE         requests a second of each worker (no limit)
  -z DURATION     how long to send, instead of -n
  -o FORMAT       text, csv (a line for each request) or json (text)
  -m METHOD       (GET)
  -H "Name: v"    a header; again for more
  -t SECONDS      timeout of a request (20); 0 for none
  -A TYPE         Accept header
  -d TEXT         request body
  -D FILE         request body
  -T TYPE         Content-Type header (text/html)
  -U AGENT        User-Agent header
  -a USER:PASS    basic authentication
  -x HOST:PORT    HTTP proxy ($http_proxy, where $no_proxy does not say otherwise)
  -h2             HTTP/2, over TLS
  -host HOST      Host header, and server name of TLS
  -cpus N         processors to use (as few as will do)
  -disable-compression, -disable-keepalive, -disable-redirects

Open loop: every start is fixed in advance, and latency counts from there.
  -rate RATE      requests a second to each URL
  -ramp DURATION  climb from 0 to -rate in that time
  -steps LIST     rates and how long to hold them, such as 100x30s,200x30s
  -arrivals KIND  constant, or poisson: as independent users arrive (constant)
  -seed N         of poisson arrivals (random)

Where and how:
  -connect-to A   dial this address, host:port or unix:/path, and ask for the
                  host of the URL
  -h2c            HTTP/2 without TLS
  -cacert FILE    authorities to trust, PEM (the system's)
  -cert FILE, -key FILE
                  client certificate, PEM
  -servername N   server name of TLS
  -insecure       trust any certificate
  -protoset FILE  descriptor set of gRPC methods (asks the server's reflection)

  grpc://HOST:PORT/package.Service/Method calls a unary method with the JSON
  given by -d; without a path it is the health check. grpcs:// is with TLS.

What is expected:
  -expect WHAT    status=200-299,304 or header=Name: text or body=text; again
                  for more (any status below 500)
  -fail-if COND   p99>500ms, mean>=20ms, success<99%, errors>0, rate<95;
                  again for more

What is written:
  -hdr FILE       HdrHistogram log, an interval a second
  -report FILE    page (.html) or picture (.svg)

The exit status is 0 only if every request was as expected (or as many as
-fail-if wants) and no -fail-if condition holds. Ctrl-C stops and reports.
`
