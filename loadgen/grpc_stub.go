package loadgen

import "errors"

func newGRPCClient(*Plan, endpoint) (client, error) { return nil, errors.New("grpc: not yet") }
