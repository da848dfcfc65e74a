/** The two forms of OTLP over HTTP. */
export type OtlpEncoding = 'protobuf' | 'json';

export const contentTypes: Readonly<Record<OtlpEncoding, string>> = {
  protobuf: 'application/x-protobuf',
  json: 'application/json',
};

/** By a Content-Type header, whose parameters do not matter; undefined for any other type. */
export function encodingOf(contentType: string | undefined): OtlpEncoding | undefined {
  const type = contentType?.split(';', 1)[0]?.trim().toLowerCase();
  return type === contentTypes.protobuf ? 'protobuf' : type === contentTypes.json ? 'json' : undefined;
}
