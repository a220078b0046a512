# SPDX-License-Identifier: Apache-2.0
"""What the integration and end-to-end tests share: API client, processes, proxy, audit log."""
