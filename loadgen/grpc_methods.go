package loadgen

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	reflectionpb "google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
)

// grpcMethod is a unary method.
type grpcMethod struct {
	path          string // /package.Service/Method
	input, output protoreflect.MessageDescriptor
	types         *dynamicpb.Types // of messages in messages of any type
	health        bool             // it is the health check
}

const healthCheck = "/grpc.health.v1.Health/Check"

// knownMethod finds a method without asking the server. known is false where
// the server is to be asked.
func knownMethod(descriptors *descriptorpb.FileDescriptorSet, path string) (m grpcMethod, known bool, err error) {
	if path == "/" || path == healthCheck {
		files := new(protoregistry.Files)
		if err := files.RegisterFile(grpc_health_v1.File_grpc_health_v1_health_proto); err != nil {
			return m, false, err
		}
		m, err := findMethod(files, healthCheck)
		m.health = true
		return m, true, err
	}
	if _, _, err := splitMethod(path); err != nil {
		return m, false, err
	}
	if descriptors == nil {
		return m, false, nil
	}
	files, err := protodesc.NewFiles(descriptors)
	if err != nil {
		return m, false, fmt.Errorf("descriptors: %w", err)
	}
	m, err = findMethod(files, path)
	return m, true, err
}

// splitMethod reads /package.Service/Method.
func splitMethod(path string) (service protoreflect.FullName, method protoreflect.Name, err error) {
	first, second, ok := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	service, method = protoreflect.FullName(first), protoreflect.Name(second)
	if !ok || !service.IsValid() || !method.IsValid() {
		return "", "", fmt.Errorf("gRPC method %q must be /package.Service/Method", path)
	}
	return service, method, nil
}

func findMethod(files *protoregistry.Files, path string) (grpcMethod, error) {
	service, name, err := splitMethod(path)
	if err != nil {
		return grpcMethod{}, err
	}
	found, err := files.FindDescriptorByName(service)
	if err != nil {
		return grpcMethod{}, fmt.Errorf("gRPC service %s is not known", service)
	}
	s, ok := found.(protoreflect.ServiceDescriptor)
	if !ok {
		return grpcMethod{}, fmt.Errorf("%s is not a gRPC service", service)
	}
	method := s.Methods().ByName(name)
	if method == nil {
		return grpcMethod{}, fmt.Errorf("gRPC service %s has no method %s", service, name)
	}
	if method.IsStreamingClient() || method.IsStreamingServer() {
		return grpcMethod{}, fmt.Errorf("gRPC method %s is a stream: only unary methods can be called", path)
	}
	return grpcMethod{path: path, input: method.Input(), output: method.Output(), types: dynamicpb.NewTypes(files)}, nil
}

// reflectMethod asks the server for a method: by the reflection protocol, or
// by its older name where the server does not know it.
func reflectMethod(ctx context.Context, conn *grpc.ClientConn, path string) (grpcMethod, error) {
	service, _, err := splitMethod(path)
	if err != nil {
		return grpcMethod{}, err
	}
	files, err := reflectFiles(ctx, conn, "grpc.reflection.v1", service)
	if status.Code(err) == codes.Unimplemented {
		files, err = reflectFiles(ctx, conn, "grpc.reflection.v1alpha", service)
	}
	if err != nil {
		return grpcMethod{}, fmt.Errorf("gRPC service %s: %w", service, err)
	}
	return findMethod(files, path)
}

// reflectFiles returns the file that describes a service, with all that it
// imports. The messages of both versions of the protocol are the same.
func reflectFiles(ctx context.Context, conn *grpc.ClientConn, version string, service protoreflect.FullName) (*protoregistry.Files, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // ends the stream
	stream, err := conn.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true, ClientStreams: true}, "/"+version+".ServerReflection/ServerReflectionInfo")
	if err != nil {
		return nil, err
	}
	set, known := new(descriptorpb.FileDescriptorSet), make(map[string]bool)
	wanted := []*reflectionpb.ServerReflectionRequest{{
		MessageRequest: &reflectionpb.ServerReflectionRequest_FileContainingSymbol{FileContainingSymbol: string(service)},
	}}
	for len(wanted) > 0 {
		files, err := ask(stream, wanted[0])
		if err != nil {
			return nil, err
		}
		wanted = wanted[1:]
		for _, file := range files {
			if known[file.GetName()] {
				continue
			}
			known[file.GetName()] = true
			set.File = append(set.File, file)
			if len(set.File) > maxFiles {
				return nil, fmt.Errorf("service %s needs more than %d files", service, maxFiles)
			}
			for _, name := range file.GetDependency() {
				wanted = append(wanted, &reflectionpb.ServerReflectionRequest{
					MessageRequest: &reflectionpb.ServerReflectionRequest_FileByFilename{FileByFilename: name},
				})
			}
		}
	}
	return protodesc.NewFiles(set)
}

// maxFiles bounds what a server can make a client hold.
const maxFiles = 1000

// ask sends one question of reflection and returns the files of its answer.
func ask(stream grpc.ClientStream, question *reflectionpb.ServerReflectionRequest) ([]*descriptorpb.FileDescriptorProto, error) {
	if err := stream.SendMsg(question); err != nil {
		// The reason is with the answer.
		return nil, errors.Join(stream.RecvMsg(new(reflectionpb.ServerReflectionResponse)), err)
	}
	answer := new(reflectionpb.ServerReflectionResponse)
	if err := stream.RecvMsg(answer); err != nil {
		return nil, err
	}
	if refused := answer.GetErrorResponse(); refused != nil {
		return nil, status.Error(codes.Code(refused.GetErrorCode()), refused.GetErrorMessage())
	}
	var files []*descriptorpb.FileDescriptorProto
	for _, raw := range answer.GetFileDescriptorResponse().GetFileDescriptorProto() {
		file := new(descriptorpb.FileDescriptorProto)
		if err := proto.Unmarshal(raw, file); err != nil {
			return nil, fmt.Errorf("file descriptor: %w", err)
		}
		files = append(files, file)
	}
	return files, nil
}
