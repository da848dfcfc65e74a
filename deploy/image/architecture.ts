/** As OCI, Debian and Kubernetes name them. */
export const architectures = ['amd64', 'arm64'] as const;
export type Architecture = (typeof architectures)[number];

export function isArchitecture(name: string): name is Architecture {
  return architectures.some((known) => known === name);
}

/** As Node and npm name it. */
export function nodeArchitecture(architecture: Architecture): 'x64' | 'arm64' {
  return architecture === 'amd64' ? 'x64' : 'arm64';
}

export function hostArchitecture(): Architecture {
  return process.arch === 'arm64' ? 'arm64' : 'amd64';
}
