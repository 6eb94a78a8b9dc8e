"""Envoy itself accepts what the rendering makes of settings that no other test starts it with."""

import subprocess
from pathlib import Path

from deploy.gateway.rendering import GatewaySettings, render
from deploy.local.gateway import envoy_binary


def test_a_deployments_configuration_is_accepted(tmp_path: Path) -> None:
    """Keys behind TLS, services by name, front ends, proxies in front, an admin port."""
    given = {
        "RAPPORT_GATEWAY_HOST": "0.0.0.0",
        "RAPPORT_GATEWAY_ADMIN_PORT": "9901",
        "RAPPORT_GATEWAY_CORS_ORIGINS": "https://crm.example.com,*",
        "RAPPORT_GATEWAY_TRUSTED_PROXIES": "1",
        "RAPPORT_JWKS_URL": "https://login.example.com/keys",
        "RAPPORT_TOKEN_ISSUER": 'https://login.example.com/"quoted"/',
        **{
            f"RAPPORT_GATEWAY_UPSTREAM_{name.upper()}": f"{name}:8000"
            for name in ("customers", "interactions", "imports", "campaigns")
        },
    }
    configuration = tmp_path / "envoy.yaml"
    configuration.write_text(render(GatewaySettings.load(given)))
    answer = subprocess.run(
        [envoy_binary(), "--mode", "validate", "--config-path", configuration], capture_output=True, text=True
    )
    assert answer.returncode == 0, answer.stderr
